/** Variables of a manifest's command (plugin contract, section 2). */
export interface CommandVariables {
  readonly socket: string;
  readonly root: string;
  readonly state: string;
  /** gRPC target of the host. */
  readonly host: string;
  /** Path of the package's config file. */
  readonly config: string;
  readonly package: string;
  readonly os: string;
  /** As Go names it: amd64, arm64. */
  readonly arch: string;
}

/** `word` with each `${name}` put in place; a name that is none of them stays as it is. */
export function expandVariables(word: string, variables: CommandVariables): string {
  return word.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(variables, name) ? variables[name as keyof CommandVariables] : whole,
  );
}
