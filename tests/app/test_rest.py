import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import clip2point
from clip2point.app import service as service_module
from clip2point.app.server import create_app
from clip2point.app.service import Service

LABELS = ["chair", "table", "lamp"]


@pytest.fixture(scope="module")
def client(app):
    return TestClient(app, base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def tiny(tiny_clip):
    """The application around a tiny model and without a library."""
    return TestClient(
        create_app(Service(clip2point.load(str(tiny_clip))), max_upload_mb=2), base_url="http://127.0.0.1"
    )


def upload(*paths, field="files"):
    return [(field, (path.name, path.read_bytes())) for path in paths]


def test_classify_answers_as_the_library_does(client, pocket, shapes):
    files = upload(shapes / "chair.glb", shapes / "lamp.glb")
    record = client.post("/api/classify", files=files, data={"labels": "chair, table,lamp"}).json()
    assert [result["label"] for result in record["results"]] == ["chair", "lamp"]
    expected = pocket.classify_many([shapes / "chair.glb", shapes / "lamp.glb"], LABELS)
    for result, answer in zip(record["results"], (answer.to_dict() for answer in expected), strict=True):
        guesses, own = result.pop("guesses"), answer.pop("guesses")
        assert result == answer | {"source": f"{result['label']}.glb", "confidence": guesses[0]["confidence"]}
        assert [guess["label"] for guess in guesses] == [guess["label"] for guess in own]
        for guess, mine in zip(guesses, own, strict=True):
            assert guess["view_scores"] == pytest.approx(mine["view_scores"], abs=1e-4)
            assert guess["confidence"] == pytest.approx(mine["confidence"], abs=1e-3)
    assert record["failures"] == []


def test_pictures_come_with_the_views_if_they_are_asked_for(client, shapes):
    data = {"labels": LABELS, "views": "true", "up": "y", "unknown_below": "1", "top": "2"}
    files = [("files", ("note.mtl", b"")), *upload(shapes / "chair.glb")]
    (result,) = client.post("/api/classify", files=files, data=data).json()["results"]
    assert result["file"] == 1
    assert result["unknown"]
    assert result["up_from"] == "declared"
    assert len(result["guesses"]) == 2
    assert [len(result["views"])] * 2 == [len(guess["view_scores"]) for guess in result["guesses"]]
    assert all(view["picture"].startswith("data:image/png;base64,") for view in result["views"])


def test_a_broken_file_stops_no_other(tiny, shapes):
    files = [("files", ("broken.off", b"OFF\n9 9")), *upload(shapes / "chair.glb"), ("files", ("virus.exe", b"MZ"))]
    answer = tiny.post("/api/classify", files=files, data={"labels": LABELS})
    record = answer.json()
    assert answer.status_code == 200
    assert [result["source"] for result in record["results"]] == ["chair.glb"]
    assert [failure["source"] for failure in record["failures"]] == ["broken.off", "virus.exe"]
    assert record["failures"][0]["error"].startswith("broken.off: ")
    assert "unknown extension" in record["failures"][1]["error"]


def test_embed_gives_the_models_vectors(tiny, shapes):
    answer = tiny.post("/api/embed", files=[*upload(shapes / "lamp.glb"), ("files", ("a.ply", b"ply"))])
    (result,), (failure,) = answer.json()["results"], answer.json()["failures"]
    model = tiny.app.state.service.model
    np.testing.assert_allclose(result["vector"], model.embed([shapes / "lamp.glb"])[0], atol=1e-6)
    assert result["source"] == "lamp.glb"
    assert failure["source"] == "a.ply"


@pytest.mark.parametrize(
    ("data", "files", "status", "sentence"),
    [
        ({}, [], 422, "files: field required"),
        ({}, [("files", ("chair.exe", b"MZ"))], 422, "chair.exe: unknown extension"),
        ({}, [("files", ("../../chair.off", b"no"))], 422, "^chair.off: "),
        ({}, [("files", ("wood.png", b"no"))], 400, "no shape file"),
        ({"labels": "a,a"}, [("files", ("a.off", b""))], 400, "repeated labels: a"),
        ({"labels": "a" * 300}, [("files", ("a.off", b""))], 400, "300 letters"),
        ({"up": "w"}, [("files", ("a.off", b""))], 400, "unknown up-axis 'w'"),
        ({"top": "0"}, [("files", ("a.off", b""))], 422, "top: "),
        ({"unknown_below": "2"}, [("files", ("a.off", b""))], 422, "unknown_below: "),
        ({}, [("files", ("a.off", b"0" * 2_100_000))], 413, "more than 2 MB"),
        ({}, [("files", (f"{number}.off", b"")) for number in range(65)], 400, "65 files"),
    ],
)
def test_errors_are_one_sentence(tiny, data, files, status, sentence):
    answer = tiny.post("/api/classify", data=data, files=files)
    error = answer.json()["error"]
    assert answer.status_code == status
    assert re.search(sentence, error)
    assert "\n" not in error
    assert "/tmp" not in error


def test_a_bug_is_no_page_of_code(tiny, monkeypatch, shapes):
    client = TestClient(tiny.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    monkeypatch.setattr(Service, "classify", lambda *_, **__: 1 / 0)
    answer = client.post("/api/classify", files=upload(shapes / "chair.glb"))
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("something went wrong")


def test_twenty_users_at_once_get_their_own_answers(tiny, shapes):
    def ask(number):
        name = LABELS[number % 3]
        data = {"labels": [f"{name} {number}", "other"], "up": "y"}
        if number % 5 == 4:
            return tiny.post("/api/classify", data=data, files=[("files", (f"{number}.off", b"broken"))])
        return tiny.post("/api/classify", data=data, files=[("files", (f"{number}.glb", files[name]))])

    files = {name: (shapes / f"{name}.glb").read_bytes() for name in LABELS}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    for number, answer in enumerate(answers):
        record = answer.json()
        if number % 5 == 4:
            assert record["failures"][0]["source"] == f"{number}.off"
            continue
        (result,) = record["results"]
        assert result["source"] == f"{number}.glb"
        assert {guess["label"] for guess in result["guesses"]} == {f"{LABELS[number % 3]} {number}", "other"}


def test_a_file_that_takes_long_holds_nobody_up(tiny, monkeypatch, shapes):
    released, load = threading.Event(), service_module.load_shape

    def slowly(path, **options):
        assert "slow" not in path.name or released.wait(60)
        return load(path, **options)

    monkeypatch.setattr(service_module, "load_shape", slowly)
    data = (shapes / "lamp.glb").read_bytes()
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(tiny.post, "/api/classify", files=[("files", ("slow.glb", data))])
        try:
            quick = tiny.post("/api/classify", files=[("files", ("quick.glb", data))])
            assert quick.status_code == 200
            assert not slow.done()
        finally:
            released.set()
        assert slow.result().status_code == 200


@pytest.mark.slow
def test_search_by_words_photo_shape_and_hit(client, shapes, tmp_path):
    def names(**request):
        answer = client.post("/api/search", **request)
        assert answer.status_code == 200, answer.text
        return [hit["path"].rpartition("/")[2] for hit in answer.json()["hits"]]

    assert names(data={"text": "lamp", "not": "chair", "top": "1"}) == ["lamp.glb"]
    assert names(files=upload(shapes / "table.glb", field="shape"))[0] == "table.glb"
    assert names(data={"like": str(shapes / "chair.glb")})[0] == "chair.glb"
    assert names(data={"text": "lamp", "where": "path like '%table%'"}) == ["table.glb"]
    Image.new("RGB", (50, 40), "white").save(tmp_path / "photo.png")
    assert len(names(files=upload(tmp_path / "photo.png", field="photo"))) == 3


@pytest.mark.parametrize(
    ("data", "files", "status", "sentence"),
    [
        ({}, [], 400, "nothing to look for"),
        ({"text": "chair", "where": "weight > 3"}, [], 400, "weight > 3"),
        ({"like": "/etc/passwd"}, [], 404, "not in the library"),
        ({}, [("photo", ("a.eps", b"%!PS"))], 400, "^a.eps: not a photo"),
        ({}, [("photo", ("a.png", b"no"))], 400, "^a.png: "),
        ({}, [("shape", ("a.off", b"no"))], 422, "^a.off: "),
    ],
)
def test_queries_that_make_no_sense(client, data, files, status, sentence):
    answer = client.post("/api/search", data=data, files=files)
    assert answer.status_code == status
    assert re.search(sentence, answer.json()["error"])


def test_without_a_library_there_is_no_search(tiny):
    assert tiny.post("/api/search", data={"text": "chair"}).status_code == 404
    assert 'id="search"' not in tiny.get("/").text


def test_hits_have_pictures_and_shapes(client, shapes, library):
    path = str(shapes / "chair.glb")
    picture = client.get("/api/thumbnail", params={"path": path})
    assert picture.content == library.get(path).thumbnail
    assert picture.headers["content-type"] == "image/webp"
    assert client.get("/api/mesh", params={"path": path}).content[:4] == b"glTF"


@pytest.mark.parametrize("call", ["thumbnail", "mesh"])
def test_nothing_but_the_library_can_be_read(client, shapes, call, tmp_path):
    outside = tmp_path / "chair.glb"
    outside.write_bytes((shapes / "chair.glb").read_bytes())
    paths = [outside, "/etc/passwd", shapes, f"{shapes}/../{shapes.name}/chair.glb", "chair.glb", "' or '1'='1"]
    for path in paths:
        answer = client.get(f"/api/{call}", params={"path": str(path)})
        assert (answer.status_code, "not in the library" in answer.json()["error"]) == (404, True)


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd", "/static/", "/docs", "/redoc"]
)
def test_no_other_file_is_served(client, path):
    assert client.get(path).status_code == 404


def test_a_shape_for_viewing(tiny, shapes):
    answer = tiny.post("/api/mesh", files=upload(shapes / "lamp.glb"))
    assert answer.content[:4] == b"glTF"
    assert tiny.post("/api/mesh", files=[("files", ("a.off", b"no"))]).status_code == 422


def test_pages_fetch_nothing_from_elsewhere(client):
    for path in ("/", "/api/docs", "/static/page.css", "/static/page.js", "/static/viewer.js"):
        text = client.get(path).text
        assert not re.search(r"(src|href)=\W?(https?:)?//|@import|url\(|\bimport\(", text), path
        assert not re.search(r"<script(?! type=\"module\" src)|style=|onclick=", text), path


def test_the_api_page_shows_every_call(client):
    page, schema = client.get("/api/docs").text, client.get("/api/openapi.json").json()
    for path, operations in schema["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in operations.values():
            assert operation["x-example"].replace("ADDRESS", "http://127.0.0.1").replace("'", "&#39;") in page


def test_pages_elsewhere_whose_name_points_here_get_no_answer(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"host": "localhost:7860"}).status_code == 200
