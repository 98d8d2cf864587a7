import type { INestApplicationContext } from '@nestjs/common';
import type { Settings } from '../../src/model/settings.js';

/** What a story needs that answers, beside recorded files. */
export interface World {
  /** Of the host, whose files are the world's own. */
  readonly root: string;
  /** Where the agent finds it. */
  readonly settings: Partial<Settings>;
  /** Resolves when the agent has heard all that it tells. */
  settle(app: INestApplicationContext): Promise<void>;
  /** May be called twice. */
  stop(): Promise<void>;
}
