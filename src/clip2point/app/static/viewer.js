// Turns a GLB file of one primitive, as /api/mesh makes it, on a canvas with WebGL 2.

const VERTEX = `#version 300 es
in vec3 position;
in vec4 color;
uniform mat4 camera, projection;
uniform float pointSize;
out vec3 place;
out vec3 tint;
void main() {
  vec4 seen = camera * vec4(position, 1.0);
  place = seen.xyz;
  tint = color.rgb;
  gl_Position = projection * seen;
  gl_PointSize = pointSize / -seen.z;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec3 place;
in vec3 tint;
uniform bool isCloud;
uniform float middle;
out vec4 pixel;
void main() {
  float light;
  if (isCloud) {
    if (length(gl_PointCoord - 0.5) > 0.5) discard;
    light = clamp(0.76 + 0.26 * (middle + place.z), 0.4, 1.0); // nearer points are lighter
  } else {
    // The facet's own normal, always on the viewer's side: files do not agree on which side is out.
    vec3 normal = normalize(cross(dFdx(place), dFdy(place)));
    float key = max(dot(normal, normalize(vec3(0.4, 0.7, 0.9))), 0.0);
    float fill = max(dot(normal, normalize(vec3(-0.8, 0.1, 0.5))), 0.0);
    light = 0.36 + 0.56 * key + 0.16 * fill;
  }
  pixel = vec4(tint * light, 1.0);
}`;

const FIELD_OF_VIEW = 0.55;
const TURN_PER_SECOND = 0.55;
const REST_AFTER_TOUCH = 2500;

export class Viewer {
  /** A viewer on `canvas`; `note` is where it says what it cannot show. */
  constructor(canvas, note) {
    this.canvas = canvas;
    this.note = note;
    this.shape = null;
    this.turns = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.gl = canvas.getContext("webgl2", { alpha: true, antialias: true });
    this.restUntil = 0;
    this.lastTime = 0;
    this.resetCamera();
    if (this.gl) {
      this.program = makeProgram(this.gl);
      this.listen();
      requestAnimationFrame((time) => this.frame(time));
    }
  }

  /** Show the shape of a GLB file (ArrayBuffer). */
  show(glb) {
    this.clear();
    if (!this.gl) return this.say("This browser has no WebGL 2, so there is no 3D view.");
    const { position, color, indices } = readGlb(glb);
    const gl = this.gl;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = [
      upload(gl, this.program, "position", position, 3, gl.FLOAT, false),
      upload(gl, this.program, "color", color, 4, gl.UNSIGNED_BYTE, true),
    ];
    if (indices) {
      buffers.push(gl.createBuffer());
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers[2]);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
    }
    gl.bindVertexArray(null);
    let reach = 0;
    for (let at = 0; at < position.length; at += 3) {
      reach = Math.max(reach, Math.hypot(position[at], position[at + 1], position[at + 2]));
    }
    this.shape = { array, buffers, count: indices ? indices.length : position.length / 3, isCloud: !indices, reach };
    this.resetCamera();
    const number = (indices ? indices.length / 3 : position.length / 3).toLocaleString("en");
    this.say(`${number} ${indices ? "triangles" : "points"} · drag to turn, wheel to zoom`);
    this.canvas.dataset.shown = number;
  }

  /** Show nothing, or a sentence. */
  clear(sentence = "") {
    if (this.shape) {
      this.gl.deleteVertexArray(this.shape.array);
      this.shape.buffers.forEach((buffer) => this.gl.deleteBuffer(buffer));
    }
    this.shape = null;
    delete this.canvas.dataset.shown;
    this.say(sentence);
  }

  say(sentence) {
    this.note.textContent = sentence;
  }

  resetCamera() {
    this.azimuth = (205 * Math.PI) / 180;
    this.elevation = (18 * Math.PI) / 180;
    this.zoom = 1;
  }

  listen() {
    const touch = () => (this.restUntil = performance.now() + REST_AFTER_TOUCH);
    const turn = (right, up) => {
      this.azimuth -= right;
      this.elevation = Math.max(-1.55, Math.min(1.55, this.elevation + up));
      touch();
    };
    this.canvas.addEventListener("pointerdown", (event) => this.canvas.setPointerCapture(event.pointerId));
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) turn(event.movementX * 0.009, event.movementY * 0.009);
    });
    const wheel = (event) => {
      event.preventDefault();
      this.zoom = Math.max(0.3, Math.min(6, this.zoom * Math.exp(-event.deltaY * 0.0012)));
      touch();
    };
    this.canvas.addEventListener("wheel", wheel, { passive: false });
    const keys = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    this.canvas.addEventListener("keydown", (event) => {
      if (!(event.key in keys)) return;
      event.preventDefault();
      turn(...keys[event.key]);
    });
  }

  frame(time) {
    requestAnimationFrame((next) => this.frame(next));
    const seconds = Math.min(0.1, (time - this.lastTime) / 1000);
    this.lastTime = time;
    if (this.canvas.clientWidth === 0) return;
    if (this.turns && time > this.restUntil) this.azimuth += seconds * TURN_PER_SECOND;
    this.draw();
  }

  draw() {
    const { gl, canvas, shape } = this;
    const sharpness = Math.min(2, devicePixelRatio);
    const [width, height] = [Math.round(canvas.clientWidth * sharpness), Math.round(canvas.clientHeight * sharpness)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!shape) return;
    const narrow = Math.min(1, width / height);
    const distance = (shape.reach * 1.04) / Math.sin((FIELD_OF_VIEW * narrow) / 2) / this.zoom;
    const near = Math.max(0.02, distance - shape.reach * 1.1);
    const at = (name) => gl.getUniformLocation(this.program, name);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(at("camera"), false, cameraMatrix(this.azimuth, this.elevation, distance));
    gl.uniformMatrix4fv(at("projection"), false, perspective(width / height, near, distance + shape.reach * 1.1));
    gl.uniform1f(at("pointSize"), pointSize(shape, height));
    gl.uniform1f(at("middle"), distance);
    gl.uniform1i(at("isCloud"), shape.isCloud ? 1 : 0);
    gl.bindVertexArray(shape.array);
    if (shape.isCloud) gl.drawArrays(gl.POINTS, 0, shape.count);
    else gl.drawElements(gl.TRIANGLES, shape.count, gl.UNSIGNED_INT, 0);
    gl.bindVertexArray(null);
  }
}

/** Pixels times distance: discs that about cover the surface, whatever their number. */
function pointSize(shape, height) {
  const radius = Math.min(0.03, 1.6 / Math.sqrt(shape.count));
  return (2 * radius * height) / (2 * Math.tan(FIELD_OF_VIEW / 2));
}

/** Typed arrays of the file's only primitive. */
function readGlb(glb) {
  const length = new DataView(glb).getUint32(12, true);
  const scene = JSON.parse(new TextDecoder().decode(new Uint8Array(glb, 20, length)));
  const start = 20 + length + 8;
  const read = (accessor, kind, width) => {
    const { bufferView, count } = scene.accessors[accessor];
    return new kind(glb, start + scene.bufferViews[bufferView].byteOffset, count * width);
  };
  const { attributes, indices } = scene.meshes[0].primitives[0];
  return {
    position: read(attributes.POSITION, Float32Array, 3),
    color: read(attributes.COLOR_0, Uint8Array, 4),
    indices: indices === undefined ? null : read(indices, Uint32Array, 1),
  };
}

function makeProgram(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return program;
}

function upload(gl, program, name, values, width, kind, normalised) {
  const buffer = gl.createBuffer();
  const place = gl.getAttribLocation(program, name);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, width, kind, normalised, 0, 0);
  return buffer;
}

/** World to camera, column by column: from azimuth and elevation as the views of the model have them. */
function cameraMatrix(azimuth, elevation, distance) {
  const [sa, ca, se, ce] = [Math.sin(azimuth), Math.cos(azimuth), Math.sin(elevation), Math.cos(elevation)];
  return [ca, -se * sa, ce * sa, 0, 0, ce, se, 0, -sa, -se * ca, ce * ca, 0, 0, 0, -distance, 1];
}

function perspective(aspect, near, far) {
  const focal = 1 / Math.tan(FIELD_OF_VIEW / 2);
  const depth = 1 / (near - far);
  return [focal / aspect, 0, 0, 0, 0, focal, 0, 0, 0, 0, (far + near) * depth, -1, 0, 0, 2 * far * near * depth, 0];
}
