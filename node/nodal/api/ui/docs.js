"use strict";

let whole = {};

const named = (schema) => (schema && schema.$ref ? schema.$ref.split("/").pop() : null);

function kind(schema) {
  if (!schema) return "";
  if (named(schema)) return named(schema);
  if (schema.anyOf) return schema.anyOf.map(kind).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${kind(schema.items || {}) || "…"}]`;
  return schema.type || "any";
}

function fields(schema) {
  const resolved = named(schema) ? whole.components.schemas[named(schema)] : schema;
  if (!resolved || !resolved.properties) return null;
  const needed = resolved.required || [];
  return table(["field", "type", ""], Object.entries(resolved.properties).map(([name, value]) => make("tr", {},
    cell(make("code", {}, name)), cell(kind(value), "small"),
    cell([needed.includes(name) ? "required" : "", value.description || ""].filter(Boolean).join(" · "), "small quiet"))));
}

function call(path, method, what) {
  const content = what.requestBody && Object.values(what.requestBody.content)[0].schema;
  const body = content && content.anyOf ? content.anyOf[0] : content;
  const answers = Object.entries(what.responses).filter(([status]) => status.startsWith("2")).map(([status, answer]) => {
    const schema = answer.content && Object.values(answer.content)[0].schema;
    return `${status} ${kind(schema)}`.trim();
  });
  const asked = (what.parameters || []).map((one) => make("tr", {}, cell(make("code", {}, one.name)), cell(one.in, "small quiet"), cell(kind(one.schema), "small"), cell(one.description || "", "small quiet")));
  return make("section", {},
    make("h2", {}, make("span", { class: `pill ${method === "get" ? "good" : "busy"}` }, method.toUpperCase()), make("code", {}, path), make("span", { class: "count" }, what.summary || "")),
    asked.length ? table(["parameter", "in", "type", ""], asked) : null,
    body ? make("h2", {}, make("span", { class: "count" }, `sends ${kind(body)}`)) : null, body ? fields(body) : null,
    make("p", { class: "quiet small" }, `answers ${answers.join(", ")}; an error is {code, message, retry}`));
}

ask("openapi.json").then((described) => {
  whole = described;
  document.getElementById("version").textContent = `version ${described.info.version}`;
  document.getElementById("calls").append(...Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, what]) => call(path, method, what))));
}).catch((error) => {
  const lost = document.getElementById("lost");
  lost.textContent = error.message;
  lost.hidden = false;
});
