/** Name, unit included, and help of a metric, as containerd's. */
export interface Family {
  readonly name: string;
  readonly help: string;
}

/** One value of one container. */
export interface Reading {
  readonly family: Family;
  readonly value: number;
  /** Beside those of the container. */
  readonly labels?: Readonly<Record<string, string>>;
}

export function family(name: string, help: string): Family {
  return { name: `container_${name}`, help };
}

export function reading(name: string, help: string, value: number): Reading {
  return { family: family(name, help), value };
}
