// The photo with its box and parts: a click places the chosen part; parts and corners are dragged.
const SVG = "http://www.w3.org/2000/svg";
const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];
// In pixels of the screen: what is seen of a handle, and what a finger finds of it.
const HANDLE = 16;
const GRIP = 32;
const LEAST_DRAG = 4;

function draw(parent, tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  parent.appendChild(node);
  return node;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const { width, height, parts } = data;
  const svg = parentElement.querySelector("svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", data.alt);
  svg.style.aspectRatio = `${width} / ${height}`;
  // Limits the height without borders beside the photo.
  svg.style.maxWidth = `calc(min(70vh, 640px) * ${width / height})`;

  let [left, top, right, bottom] = data.box;
  // One pixel of the screen, in pixels of the photo.
  const unit = () => 1 / (svg.getScreenCTM()?.a || 600 / width);
  const find = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = place.matrixTransform(svg.getScreenCTM().inverse());
    return [x, y];
  };

  let groups = [];
  let hasMoved = false;
  // The nearest part is dragged, and stays where it is dropped. Without a movement it is a click.
  svg.onpointerdown = (down) => {
    hasMoved = false;
    const [x, y] = find(down);
    const scale = unit();
    const distance = ({ part }) => Math.hypot(part.x - x, part.y - y);
    const [nearest] = groups.toSorted((one, other) => distance(one) - distance(other));
    if (!nearest || distance(nearest) > (GRIP / 2) * scale) return;
    const { part, group } = nearest;
    svg.onpointermove = (move) => {
      const [toX, toY] = find(move);
      if (!hasMoved && Math.hypot(toX - x, toY - y) < LEAST_DRAG * scale) return;
      if (!hasMoved) svg.setPointerCapture(down.pointerId);
      hasMoved = true;
      group.setAttribute("transform", `translate(${toX - x} ${toY - y})`);
    };
    svg.onpointerup = svg.onpointercancel = (up) => {
      svg.onpointermove = svg.onpointerup = svg.onpointercancel = null;
      const [toX, toY] = find(up);
      if (!hasMoved) return;
      if (up.type === "pointerup") {
        setTriggerValue("move", [part.index, part.x + toX - x, part.y + toY - y]);
      } else group.removeAttribute("transform");
    };
  };

  const paint = () => {
    const scale = unit();
    svg.replaceChildren();
    groups = [];
    draw(svg, "image", { href: data.photo, width, height, preserveAspectRatio: "none" });
    const shade = draw(svg, "path", { class: "shade", "fill-rule": "evenodd" });
    const frame = draw(svg, "rect", {
      class: "frame",
      "stroke-width": 2 * scale,
      "stroke-dasharray": `${8 * scale} ${5 * scale}`,
    });
    const handles = CORNERS.map(() => {
      const handle = draw(svg, "g", { class: "handle" });
      for (const [kind, size] of [["grip", GRIP], ["knob", HANDLE]]) {
        draw(handle, "rect", {
          class: kind,
          x: (-size / 2) * scale,
          y: (-size / 2) * scale,
          width: size * scale,
          height: size * scale,
          rx: 3 * scale,
          "stroke-width": 2 * scale,
        });
      }
      return handle;
    });
    const showBox = () => {
      shade.setAttribute(
        "d",
        `M0 0H${width}V${height}H0Z M${left} ${top}H${right}V${bottom}H${left}Z`
      );
      for (const [name, value] of Object.entries({
        x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top),
      })) frame.setAttribute(name, value);
      handles.forEach((handle, index) => {
        const [across, down] = CORNERS[index];
        const edge = (HANDLE / 2) * scale;
        const clamp = (value, most) => Math.min(Math.max(value, edge), most - edge);
        const x = clamp(across ? right : left, width);
        const y = clamp(down ? bottom : top, height);
        handle.setAttribute("transform", `translate(${x} ${y})`);
        handle.style.cursor = across === down ? "nwse-resize" : "nesw-resize";
      });
    };
    showBox();

    handles.forEach((handle, index) => {
      const [across, down] = CORNERS[index];
      handle.onpointerdown = (event) => {
        event.preventDefault();
        event.stopPropagation();
        handle.setPointerCapture(event.pointerId);
        handle.onpointermove = (move) => {
          const [x, y] = find(move);
          const least = 8 * scale;
          if (across) right = Math.min(width, Math.max(left + least, x));
          else left = Math.max(0, Math.min(right - least, x));
          if (down) bottom = Math.min(height, Math.max(top + least, y));
          else top = Math.max(0, Math.min(bottom - least, y));
          showBox();
        };
      };
      handle.onpointerup = handle.onpointercancel = () => {
        if (handle.onpointermove) setTriggerValue("box", [left, top, right, bottom]);
        handle.onpointermove = null;
      };
      handle.onclick = (event) => event.stopPropagation();
    });

    for (const part of parts) {
      const group = draw(svg, "g", { class: part.found ? "part found" : "part" });
      groups.push({ group, part });
      draw(group, "circle", {
        cx: part.x,
        cy: part.y,
        r: (part.name === data.chosen ? 8 : 6) * scale,
        fill: part.colour,
        "stroke-width": 2 * scale,
        "stroke-dasharray": part.found ? `${3 * scale} ${2 * scale}` : "none",
      });
      if (part.dx === undefined) continue;
      draw(
        group,
        "text",
        {
          x: part.x + part.dx * scale,
          y: part.y + (part.dy + 4) * scale,
          "text-anchor": "middle",
          "font-size": 11 * scale,
          "stroke-width": 3 * scale,
        },
        part.name
      );
    }
  };
  svg.onclick = (event) => {
    if (!hasMoved) setTriggerValue("click", find(event));
  };
  const observer = new ResizeObserver(paint);
  observer.observe(svg);
  return () => observer.disconnect();
}
