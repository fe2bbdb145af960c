// Kinds of columns: which values are valid, how they are stored, and on which scale networks compare them.

const TURN = 2 * Math.PI;
const whole = (value) => Number.isInteger(value) && value >= 0;

const real = { accepts: (v) => Number.isFinite(v), stored: (v) => v, feature: (y) => y };
const KINDS = {
  Real: () => real,
  Positive: ({ below = Infinity }) => ({ ...real, accepts: (v) => v > 0 && v < below, feature: Math.log }),
  NonNegative: () => ({ ...real, accepts: (v) => Number.isFinite(v) && v >= 0, feature: Math.sqrt }),
  Angle: () => ({ ...real, accepts: (v) => Math.abs(v) <= 6.29, stored: turned }),
  NonNegativeInteger: () => ({ ...real, accepts: whole, feature: (y) => Math.sqrt(y + 0.375) }),
  Choice: ({
    codes = [
      [0, 0],
      [1, 1],
    ],
  }) => ({
    codes,
    accepts: (v) => codes.some(([code]) => code === v),
    stored: (v) => codes.find(([code]) => code === v)?.[1] ?? 0,
    feature: (y) => 2 * y - 1,
  }),
};

function turned(value) {
  const inside = ((((value + Math.PI) % TURN) + TURN) % TURN) - Math.PI;
  return Math.min(Math.max(inside, -3.141592), 3.141592);
}

/** A kind by what a card says of it: `accepts`, `stored`, `feature`, and `codes` of a choice. */
export const kindOf = (known) => ({ ...KINDS[known.kind](known), name: known.kind });
