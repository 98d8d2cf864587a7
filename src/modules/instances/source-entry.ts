import type { Host } from '../../host/host.js';
import type { InstanceSource } from '../../model/instance.js';
import type { Settings } from '../../model/settings.js';
import type { Discovery } from './discovery.js';
import type { ProcessCheck } from './registration.source.js';

/** What a source may be made of. */
export interface SourceParts {
  readonly host: Host;
  readonly settings: Settings;
  readonly discovery: Discovery;
  /** Whether a process that somebody names is there and is the one they mean. */
  readonly checkProcess: ProcessCheck;
}

/** A row of THE LIST: what must be known before a source is made, and how it is made; null when its settings leave it out. */
export interface SourceEntry {
  readonly name: string;
  /** One sentence for `--help` and the README. */
  readonly help: string;
  readonly enabled: boolean;
  make(parts: SourceParts): InstanceSource | null;
}
