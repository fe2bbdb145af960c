// Seeds become states of generators: NumPy's SeedSequence (O'Neill 2015), and its generator PCG64.

const HASH = 0x43b0d7e5;
const HASH_STEP = 0x931e8875;
const STATE = 0x8b51f9dd;
const STATE_STEP = 0x58f38ded;
const MIX = [0xca01f9dd, 0x4973f715];
const POOL = 4;
const WORD = (1n << 64n) - 1n;
const LONG = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** Words of 32 bits of whole numbers, each the smallest first. */
function wordsOf(numbers) {
  return numbers.flatMap((number) => {
    let rest = BigInt(number);
    const found = [];
    do {
      found.push(Number(rest & 0xffffffffn));
      rest >>= 32n;
    } while (rest > 0n);
    return found;
  });
}

function mixed(x, y) {
  const result = (Math.imul(x, MIX[0]) - Math.imul(y, MIX[1])) >>> 0;
  return (result ^ (result >>> 16)) >>> 0;
}

/** So many words of 32 bits from the whole numbers of a seed. */
export function seedWords(numbers, count) {
  const entropy = wordsOf(numbers);
  let constant = HASH;
  const hashed = (value) => {
    const low = (value ^ constant) >>> 0;
    constant = Math.imul(constant, HASH_STEP) >>> 0;
    const product = Math.imul(low, constant) >>> 0;
    return (product ^ (product >>> 16)) >>> 0;
  };
  const pool = Array.from({ length: POOL }, (_, i) => hashed(entropy[i] ?? 0));
  for (let from = 0; from < POOL; from += 1) {
    for (let to = 0; to < POOL; to += 1) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  }
  for (const value of entropy.slice(POOL)) {
    for (let to = 0; to < POOL; to += 1) pool[to] = mixed(pool[to], hashed(value));
  }
  let step = STATE;
  return Array.from({ length: count }, (_, i) => {
    const low = (pool[i % POOL] ^ step) >>> 0;
    step = Math.imul(step, STATE_STEP) >>> 0;
    const product = Math.imul(low, step) >>> 0;
    return (product ^ (product >>> 16)) >>> 0;
  });
}

/** The generator PCG64 of a seed, for a uniform number and a random order. */
export class Random {
  constructor(seed) {
    const words = seedWords([seed], 8).map(BigInt);
    const pair = (i) => words[i] | (words[i + 1] << 32n);
    this.increment = ((((pair(4) << 64n) | pair(6)) << 1n) | 1n) & LONG;
    this.state = 0n;
    this.step();
    this.state = (this.state + ((pair(0) << 64n) | pair(2))) & LONG;
    this.step();
    this.half = null;
  }

  step() {
    this.state = (this.state * MULTIPLIER + this.increment) & LONG;
  }

  word() {
    this.step();
    const folded = (this.state >> 64n) ^ (this.state & WORD);
    const turn = this.state >> 122n;
    return ((folded >> turn) | (folded << (64n - turn))) & WORD;
  }

  halfWord() {
    if (this.half !== null) {
      const found = this.half;
      this.half = null;
      return found;
    }
    const word = this.word();
    this.half = Number(word >> 32n);
    return Number(word & 0xffffffffn);
  }

  /** A number in [0, 1). */
  uniform() {
    return Number(this.word() >> 11n) * 2 ** -53;
  }

  /** A whole number in 0, ..., most, each as probable: the first of random bits that is not too large. */
  below(most) {
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    let found;
    do found = (this.halfWord() & mask) >>> 0;
    while (found > most);
    return found;
  }

  /** The same values in a random order. */
  permuted(values) {
    const found = Array.from(values);
    for (let i = found.length - 1; i > 0; i -= 1) {
      const j = this.below(i);
      [found[i], found[j]] = [found[j], found[i]];
    }
    return found;
  }
}
