// The REST API, made readable from its own description.

const METHODS = ["get", "post", "put", "delete"];
const $ = (id) => document.getElementById(id);

/** An element with classes, and what is in it: elements and texts, nothing of which is read as markup. */
function el(tag, className, ...inside) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...inside.filter((one) => one !== null && one !== undefined));
  return element;
}

/** Texts with `code` in back quotes. */
function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? el("code", "", part) : part));
}

class Schemas {
  constructor(all) {
    this.all = all;
  }

  /** A schema without its reference. */
  resolve(schema) {
    if (!schema.$ref) return schema;
    let found = { components: { schemas: this.all } };
    for (const step of schema.$ref.slice(2).split("/")) found = found?.[step];
    return found ?? {};
  }

  /** What a value may be, in a few words. */
  kind(given) {
    const name = given.$ref?.split("/").pop();
    const schema = this.resolve(given);
    if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
    if (schema.type === "array") return `${range(schema.minItems, schema.maxItems)} × ${this.kind(schema.items)}`.replace(/^ × /, "list of ");
    if (name) return name;
    const forms = schema.anyOf ?? schema.oneOf;
    if (forms) return [...new Set(forms.map((form) => this.kind(form)))].join(" or ");
    if (schema.allOf) return `${this.kind(schema.allOf[0])} and more`;
    if (schema.type === "integer") return ["integer", range(schema.minimum, schema.maximum)].filter(Boolean).join(" ");
    if (schema.type === "string") return ["text", range(schema.minLength, schema.maxLength)].filter(Boolean).join(" ");
    return schema.type ?? "any";
  }

  /** The members of a body: each with its name, whether it must be there, what it is. */
  members(given) {
    const schema = this.resolve(given);
    if (schema.type === "array") return this.members(schema.items);
    if (schema.allOf) return schema.allOf.flatMap((part) => this.members(part));
    const forms = schema.anyOf ?? schema.oneOf;
    if (forms) {
      const found = new Map();
      for (const member of forms.flatMap((form) => this.members(form))) {
        const before = found.get(member.name);
        found.set(member.name, before ? { ...member, kinds: new Set([...before.kinds, ...member.kinds]), required: before.required && member.required } : member);
      }
      return [...found.values()];
    }
    return Object.entries(schema.properties ?? {}).map(([name, of]) => ({
      name, required: (schema.required ?? []).includes(name), kinds: new Set([this.kind(of)]), text: this.resolve(of).description ?? "",
    }));
  }
}

function range(least, most) {
  if (most === undefined || most >= 2 ** 32 - 1) return least > 0 ? `from ${least}` : "";
  return least === undefined ? `to ${most}` : `${least}–${most}`;
}

function row(name, required, kind, text) {
  const first = el("td", "", el("code", "", name), required ? el("span", "kind", "required") : null);
  return el("tr", "", first, el("td", "", ...prose(text), el("span", "kind", kind)));
}

function json(value) {
  return el("pre", "", JSON.stringify(value, null, 2));
}

function curl(line) {
  const button = el("button", "", "Copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
    }
  });
  return el("div", "curl", el("pre", "", line), button);
}

function parameters(operation, schemas) {
  if (!operation.parameters.length) return [];
  const rows = operation.parameters.map((one) => row(one.name, one.required, `${one.in}: ${schemas.kind(one.schema)}`, one.description ?? ""));
  return [el("h3", "", "Parameters"), el("table", "", ...rows)];
}

function body(operation, schemas) {
  const content = operation.requestBody?.content;
  if (!content) return [];
  if (content["multipart/form-data"]) return [el("h3", "", "Body"), el("p", "", "multipart/form-data, the file in a part with a file name")];
  const { schema, example } = content["application/json"];
  const head = el("h3", "", `Body: ${schemas.kind(schema)}${operation.requestBody.required ? "" : ", may be left out"}`);
  const rows = schemas.members(schema).map((one) => row(one.name, one.required, [...one.kinds].join(" or "), one.text));
  return [head, rows.length ? el("table", "", ...rows) : null, example === undefined ? null : json(example)];
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, answer]) => {
    const lines = answer.description.split("\n").map((line) => el("div", "", ...prose(line)));
    const example = answer.content?.["application/json"].example;
    return el("tr", "", el("td", "", el("code", status < 400 ? "" : "bad", status)), el("td", "", ...lines, example === undefined ? null : json(example)));
  });
  return [el("h3", "", "Answers"), el("table", "", ...rows)];
}

function call(path, method, operation, schemas) {
  const summary = el("summary", "", el("span", `method ${method}`, method.toUpperCase()), el("code", "path", path), el("span", "what", operation.summary));
  const details = el("details", "call", summary);
  details.id = operation.operationId;
  const codes = Object.values(operation.responses).flatMap((answer) => answer["x-codes"] ?? []);
  details.dataset.words = [method, path, operation.summary, operation.description, ...codes].join(" ").toLowerCase();
  // What is inside is made when it is opened: the page is there at once.
  details.addEventListener("toggle", () => {
    if (!details.open || details.lastChild !== summary) return;
    const parts = [...parameters(operation, schemas), ...body(operation, schemas), ...answers(operation)].filter(Boolean);
    details.append(el("div", "inside", el("p", "", ...prose(operation.description)), curl(operation["x-curl"]), ...parts));
  });
  return details;
}

function area(tag, document_, schemas) {
  const section = el("section", "area", el("h2", "", tag.name), el("p", "", ...prose(tag.description)));
  section.firstChild.id = tag["x-file"];
  for (const [path, operations] of Object.entries(document_.paths)) {
    for (const method of METHODS.filter((one) => operations[one]?.tags.includes(tag.name))) section.append(call(path, method, operations[method], schemas));
  }
  return section;
}

function errors(document_) {
  const rows = document_["x-errors"].map((error) => el("tr", "", el("td", "", el("code", "", `${error.code} · ${error.status}`)), el("td", "", error.meaning)));
  const section = el("section", "area", el("h2", "", "Codes"), el("p", "", 'A refusal is {"error":{"code":…,"message":…}}: code and status.'), el("table", "", ...rows));
  section.firstChild.id = "codes";
  return section;
}

function find(words) {
  for (const section of document.querySelectorAll("section.area")) {
    const calls = [...section.querySelectorAll("details.call")];
    for (const one of calls) one.hidden = !words.every((word) => one.dataset.words.includes(word));
    section.hidden = calls.length > 0 && calls.every((one) => one.hidden);
  }
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named?.matches("details")) named.open = true;
  named?.scrollIntoView();
}

async function start() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const document_ = await answer.json();
  const schemas = new Schemas(document_.components.schemas);
  const intro = el("p", "soft", ...prose(document_.info.description));
  $("main").replaceChildren(intro, ...document_.tags.map((tag) => area(tag, document_, schemas)), errors(document_));
  const links = [...document_.tags.map((tag) => [tag["x-file"], tag.name]), ["codes", "Codes"]].map(([id, name]) => {
    const link = el("a", "", name);
    link.href = `#${id}`;
    return el("li", "", link);
  });
  $("areas").append(el("ul", "", ...links));
  $("find").addEventListener("input", (event) => find(event.target.value.toLowerCase().split(/\s+/).filter(Boolean)));
  addEventListener("hashchange", openNamed);
  openNamed();
}

start().catch((error) => {
  $("status").textContent = `The description could not be loaded: ${error.message}`;
});
