const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout` value; undefined when it is none (gRPC over HTTP/2: 1 to 8 digits and a unit). */
export function parseTimeout(text: string): number | undefined {
  const unit = unitMs[text.slice(-1)];
  const digits = text.slice(0, -1);
  return unit === undefined || !/^\d{1,8}$/.test(digits) ? undefined : Number(digits) * unit;
}

/** A `grpc-timeout` value in the finest unit that its eight digits can hold. */
export function formatTimeout(milliseconds: number): string {
  for (const unit of ["n", "u", "m", "S", "M"]) {
    const count = Math.max(0, Math.ceil(milliseconds / (unitMs[unit] ?? 1)));
    if (count < 1e8) return `${count}${unit}`;
  }
  return `${Math.min(99_999_999, Math.ceil(milliseconds / 3_600_000))}H`;
}
