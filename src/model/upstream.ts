/** Another exporter whose page is passed on, as the configuration has it. */
export interface UpstreamSettings {
  /** Value of the label `upstream`: lower case letters, digits, dashes. */
  readonly name: string;
  /** `http://host:port/path`, `https://host:port/path`, or `unix:/socket:/path`. */
  readonly url: string;
  /** A file with a bearer token; read again for each question, because tokens are replaced while we run. Empty: none is sent. */
  readonly tokenFile: string;
  /** A file with the certificates that may have signed the server's, in PEM. Empty: those of the runtime. */
  readonly caFile: string;
  /** SHA-256 of the server's certificate (DER), 64 hex digits: this one and no other, whoever signed it and whenever it ends. Empty: none. */
  readonly certificateSha256: string;
  /** The name that the certificate must have instead of the host in the URL. */
  readonly serverName: string;
  /** Whoever answers is believed. */
  readonly insecureSkipVerify: boolean;
  /** Added to each sample that has no such label. */
  readonly labels: ReadonlyMap<string, string>;
  /** Beginnings of family names that are passed on; empty for all. */
  readonly allow: readonly string[];
  /** Beginnings of family names that are not; stronger than `allow`. */
  readonly deny: readonly string[];
  readonly intervalMs: number;
  /** From reading the token to the last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxSeries: number;
}
