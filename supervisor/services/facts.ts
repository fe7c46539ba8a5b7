/** What control's services tell of the daemon itself; fixed for the life of the process. */
export interface HostFacts {
  /** Semantic version of Bulkhead. */
  readonly version: string;
  /** Git commit; empty: not known. */
  readonly revision: string;
  /** Absolute persistent folder. */
  readonly root: string;
  /** Absolute volatile folder. */
  readonly state: string;
  /** The daemon's process, as Introspection.Server shows it. */
  readonly pid: number;
}
