// Uniform numbers from the counter-based generator Philox 4x64-10 (Salmon et al. 2011), as NumPy gives them.

const WORD = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const ROUNDS = 10;

/** Four words of 64 bits for a counter and a key of 128 bits. */
function block(counter, key) {
  let [a, b, c, d] = [counter & WORD, counter >> 64n, 0n, 0n];
  let [k, l] = [key & WORD, (key >> 64n) & WORD];
  for (let round = 0; round < ROUNDS; round += 1) {
    const first = MULTIPLIERS[0] * a;
    const second = MULTIPLIERS[1] * c;
    [a, b, c, d] = [(second >> 64n) ^ b ^ k, second & WORD, (first >> 64n) ^ d ^ l, first & WORD];
    k = (k + STEPS[0]) & WORD;
    l = (l + STEPS[1]) & WORD;
  }
  return [a, b, c, d];
}

/** So many uniform numbers inside (0, 1) for a key, a BigInt; the first `skipped` ones, a multiple of 4, are left out. */
export function uniform(key, number, skipped = 0) {
  const found = new Float64Array(number);
  // numbers k 2^-53, from zero on, moved by half of that: none is zero, and none may be rounded to one
  for (let i = 0; i < number; i += 4) {
    const words = block(BigInt((skipped + i) / 4 + 1), key);
    for (let j = 0; j < 4 && i + j < number; j += 1) {
      found[i + j] = Math.min(Number(words[j] >> 11n) * 2 ** -53 + 2 ** -54, 1 - 2 ** -53);
    }
  }
  return found;
}
