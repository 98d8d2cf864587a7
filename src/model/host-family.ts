/** A family about the host itself, or about something that all its VMs share. Its samples are made for each page. */
export interface HostFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly unit?: 'seconds' | 'bytes' | 'ratio';
  /** For documents, where no recorded host has a sample that would tell them. */
  readonly labelNames?: readonly string[];
  /** Another program's name for it: not printed while that program's own page is passed on here and has it. */
  readonly yields?: true;
  /** In page order; what is not known has no sample. */
  samples(): Iterable<HostSample>;
}

export interface HostSample {
  /** Rendered, without braces; empty for none. */
  readonly labels: string;
  readonly value: number;
}
