"""Routes of the REST endpoint: classify, embed, search, and the files of the page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from clip2point.app.service import Service
from clip2point.app.uploads import PHOTOS, Upload, store_uploads
from clip2point.app.viewer import to_glb
from clip2point.core.errors import OptionError
from clip2point.core.labels import split_labels
from clip2point.model import Classification, Failure

_MOST_HITS = 1000


class Problem(BaseModel):
    """An error."""

    error: str


router = APIRouter(
    prefix="/api",
    responses={"4XX": {"model": Problem, "description": "What is wrong with the request"}, 422: {"model": Problem}},
)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Answers = Annotated[Service, Depends(_service)]
Files = Annotated[
    list[UploadFile],
    File(description="Shape files, as many as you like, with their materials (.mtl), buffers (.bin) and textures."),
]
Up = Annotated[str, Form(description="The axis that points up: auto, y, -y, z, -z, x or -x.")]


def _example(*arguments: str) -> dict[str, Any]:
    """Return an example call for the API page; ``ADDRESS`` stands for the server's."""
    return {"x-example": " \\\n     ".join(["curl", *arguments])}


@router.post(
    "/classify",
    summary="Name shapes",
    openapi_extra=_example("-F files=@chair.off", "-F labels=chair,table,lamp", "-F up=z", "ADDRESS/api/classify"),
)
def classify(
    service: Answers,
    files: Files,
    labels: Annotated[
        list[str],
        Form(
            description="Class names to choose from, with commas between them or one a field; if not given, those that "
            "the model's head learned, or those of @everyday."
        ),
    ] = [],  # noqa: B006 - FastAPI copies it
    up: Up = "auto",
    top: Annotated[int, Form(ge=1, description="How many names to return at most.")] = 5,
    unknown_below: Annotated[
        float | None, Form(ge=0, le=1, description="Confidence below which a shape counts as unknown.")
    ] = None,
    views: Annotated[
        bool, Form(description="Whether results carry the number of their file and the depth maps, as data URLs.")
    ] = False,
) -> JSONResponse:
    """Classify all shapes, with an error for each that cannot be read.

    The answer has ``results`` and ``failures``, as ``clip2point classify --json`` prints them.
    """
    names = (
        [name for field in labels if field.strip() for name in split_labels(field)]
        if any(map(str.strip, labels))
        else None
    )
    with _store(files) as uploads:
        answers = service.classify(uploads, names, up=up, top=top, unknown_below=unknown_below, keep_views=views)
    numbers = {upload.name: number for number, upload in enumerate(uploads)}
    results = [
        answer.to_dict() | ({"file": numbers[answer.source], "views": _views(answer, service)} if views else {})
        for answer in answers
        if isinstance(answer, Classification)
    ]
    return _answer(results, [answer for answer in answers if isinstance(answer, Failure)])


@router.post(
    "/embed",
    summary="Vectors of shapes",
    openapi_extra=_example("-F files=@chair.off", "-F files=@table.ply", "-F up=y", "ADDRESS/api/embed"),
)
def embed(service: Answers, files: Files, up: Up = "auto") -> JSONResponse:
    """Return a unit vector for each shape; the cosine of two is the similarity of their shapes to the model.

    The answer has ``results``, each with ``source``, ``vector`` and ``model``, and ``failures``.
    """
    results, failures = [], []
    with _store(files) as uploads:
        for item in service.embed(uploads, up):
            if isinstance(item, Failure):
                failures.append(item)
            else:
                name, vector = item
                results.append({"source": name, "vector": vector.tolist(), "model": service.model.name})
    return _answer(results, failures)


@router.post(
    "/search",
    summary="Search the library",
    openapi_extra=_example("-F text='office chair'", "-F not=armchair", "-F top=5", "ADDRESS/api/search"),
)
def search(
    service: Answers,
    text: Annotated[list[str], Form(description="Phrases that the shape should fit, one a field.")] = [],  # noqa: B006
    without: Annotated[list[str], Form(alias="not", description="Phrases that it should not fit, one a field.")] = [],  # noqa: B006
    photo: Annotated[list[UploadFile], File(description="Photos of what it should look like.")] = [],  # noqa: B006
    shape: Annotated[
        list[UploadFile], File(description="Shapes that it should be like, with their .bin where they have one.")
    ] = [],  # noqa: B006
    like: Annotated[list[str], Form(description="Paths of hits that it should be like, one a field.")] = [],  # noqa: B006
    up: Up = "auto",
    top: Annotated[int, Form(ge=1, le=_MOST_HITS, description="How many hits to return at most.")] = 10,
    where: Annotated[
        str | None, Form(description="Condition on the library's columns, in SQL, for example: faces > 100.")
    ] = None,
) -> JSONResponse:
    """Find the shapes of the library that fit phrases, photos and shapes best, all of them together.

    The answer has ``hits``, as ``clip2point search --json`` prints them. There is a library if the page was started
    with ``--db``.
    """
    from clip2point.search import Query as Wanted

    with _store(photo) as photos, _store(shape) as shapes:
        query = Wanted(
            texts=tuple(phrase.strip() for phrase in text if phrase.strip()),
            without=tuple(phrase.strip() for phrase in without if phrase.strip()),
            images=_photos(photos),
            shapes=(*service.shapes(shapes, up), *map(service.entry_shape, like)),
        )
        hits = service.search(query, top=top, where=where)
    return JSONResponse({"hits": [hit.to_dict() for hit in hits]})


@router.get(
    "/thumbnail",
    summary="Picture of a hit",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}, "image/png": {}}}},
    openapi_extra=_example("--get", "--data-urlencode path=/models/chair.off", "ADDRESS/api/thumbnail"),
)
def thumbnail(service: Answers, path: Annotated[str, Query(description="Of a hit.")]) -> Response:
    """Return the contact sheet of a shape in the library; other paths are refused."""
    picture = service.entry(path).thumbnail
    return Response(picture, media_type="image/webp" if picture[:4] == b"RIFF" else "image/png")


_GLB: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {"model/gltf-binary": {}}}},
}


@router.post(
    "/mesh",
    summary="A shape for viewing",
    **_GLB,
    openapi_extra=_example("-F files=@chair.off", "-F up=z", "--output chair.glb", "ADDRESS/api/mesh"),
)
def mesh(service: Answers, files: Files, up: Up = "auto") -> Response:
    """Return the first shape as GLB: upright, longest side 2, reduced to 200,000 triangles or points."""
    with _store(files) as uploads:
        return Response(service.glb(uploads, up), media_type="model/gltf-binary")


@router.get(
    "/mesh",
    summary="A hit for viewing",
    **_GLB,
    openapi_extra=_example(
        "--get", "--data-urlencode path=/models/chair.off", "--output chair.glb", "ADDRESS/api/mesh"
    ),
)
def mesh_of_hit(service: Answers, path: Annotated[str, Query(description="Of a hit.")]) -> Response:
    """Return a shape of the library as GLB; other paths are refused."""
    return Response(to_glb(service.entry_shape(path)), media_type="model/gltf-binary")


def _store(files: Sequence[UploadFile]) -> AbstractContextManager[list[Upload]]:
    """Store the files that were sent; an empty form field counts as no file."""
    return store_uploads([(file.filename, file.file) for file in files if file.filename])


def _photos(uploads: Sequence[Upload]) -> tuple[Any, ...]:
    for upload in uploads:
        if not upload.is_photo:
            raise OptionError(f"{upload.name}: not a photo: expected one of {', '.join(PHOTOS)}")
    return tuple(upload.path for upload in uploads)


def _views(answer: Classification, service: Service) -> list[dict[str, Any]]:
    """Return the depth maps that an answer carries, each with the position of its camera."""
    from PIL import Image

    from clip2point.rendering.image_files import png_bytes, to_pixels
    from clip2point.report.html import data_url

    assert answer.depth is not None
    return [
        {"elevation": elevation, "azimuth": azimuth, "picture": data_url(png_bytes(Image.fromarray(pixels)))}
        for (elevation, azimuth), pixels in zip(service.model.views.angles, to_pixels(answer.depth), strict=True)
    ]


def _answer(results: list[dict[str, Any]], failures: list[Failure]) -> JSONResponse:
    """Return all results, or an error if there is none."""
    record: dict[str, Any] = {"results": results, "failures": [failure.to_dict() for failure in failures]}
    if results:
        return JSONResponse(record)
    return JSONResponse({"error": failures[0].error, **record}, 422)
