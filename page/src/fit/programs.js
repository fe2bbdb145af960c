// Exported programs by ONNX Runtime: put together from their pieces, kept while there is room.

/** Sessions that are kept: those of two frames of one network. */
const KEPT = 6;

/** Bytes of text in base 64. */
export function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Bytes out of a stream of compressed ones; the format is "deflate" or "gzip". */
export async function unpacked(bytes, format) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The programs of one card. */
export class Programs {
  constructor(ort, card) {
    Object.assign(this, { ort, card, content: bytesOf(card.content), sessions: new Map() });
  }

  /** {output: values} of the outputs of a program; inputs are {name: [values, shape]}. */
  async run(name, inputs, outputs) {
    const session = await this.session(name);
    const known = session.inputNames.filter((n) => inputs[n]);
    const tensors = known.map((n) => [n, new this.ort.Tensor("float32", ...inputs[n])]);
    const found = await session.run(Object.fromEntries(tensors), outputs);
    return Object.fromEntries(outputs.map((k) => [k, found[k].data]));
  }

  /** The session of a program; of those that are kept the one that was not used for longest makes room. */
  async session(name) {
    const known = this.sessions.get(name) ?? this.started(name);
    this.sessions.delete(name);
    this.sessions.set(name, known);
    if (this.sessions.size > KEPT) {
      const [oldest, session] = this.sessions.entries().next().value;
      this.sessions.delete(oldest);
      await (await session).release();
    }
    return known;
  }

  /** Make room for the programs of other networks. */
  async release() {
    const known = [...this.sessions.values()];
    this.sessions.clear();
    for (const session of known) await (await session).release();
  }

  async started(name) {
    const options = { executionProviders: ["wasm"], graphOptimizationLevel: "disabled", logSeverityLevel: 3 };
    return this.ort.InferenceSession.create(await this.program(name), options);
  }

  async program(name) {
    const places = this.card.programs[name].map((i) => this.card.pieces[i]);
    const parts = await Promise.all(
      places.map(([start, size]) => unpacked(this.content.subarray(start, start + size), "deflate")),
    );
    const found = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
    let end = 0;
    for (const part of parts) {
      found.set(part, end);
      end += part.length;
    }
    return found;
  }
}
