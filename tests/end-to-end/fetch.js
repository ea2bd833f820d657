// A function in JavaScript that hype runs: `spotify:hype/closure`, from wit/closure.wit. componentize-js makes a
// component of it, whose `fetch` sends what the environment grants; see `javascript` beside it.

/** The status and the text that a URL answers with. */
async function get(url) {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
}

const functions = { get };

export const closure = {
  async call(name, given) {
    const chosen = functions[name];
    if (!chosen) {
      throw failure("incompatible", `there is no function ${name}`);
    }
    const values = decode(new DataView(given.buffer, given.byteOffset, given.byteLength));
    try {
      return encode(await chosen(...values));
    } catch (error) {
      throw failure("function", String(error));
    }
  },
};

function failure(kind, message) {
  return { payload: { kind, message, causes: [] } };
}

/** MessagePack, as much as is needed here: an array of strings. */
function decode(view) {
  if (view.getUint8(0) >> 4 !== 0x9) {
    throw failure("incompatible", "the arguments are no short array");
  }
  const values = [];
  for (let at = 1, left = view.getUint8(0) & 0xf; left > 0; left--) {
    const head = view.getUint8(at);
    let size = head & 0x1f;
    at += 1;
    if (head === 0xd9) {
      size = view.getUint8(at);
      at += 1;
    } else if (head >> 5 !== 0x5) {
      throw failure("incompatible", "an argument is no short string");
    }
    values.push(new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, size)));
    at += size;
  }
  return values;
}

/** The same the other way: numbers, strings, and objects of few fields. */
function encode(value) {
  if (typeof value === "number") {
    return Uint8Array.of(0xcd, value >> 8, value & 0xff);
  }
  if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    return concat([Uint8Array.of(0xda, text.length >> 8, text.length & 0xff), text]);
  }
  const fields = Object.entries(value);
  const parts = fields.flatMap(([name, field]) => [encode(name), encode(field)]);
  return concat([Uint8Array.of(0x80 | fields.length), ...parts]);
}

function concat(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
