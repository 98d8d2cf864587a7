import { Injectable } from '@nestjs/common';
import { Agent } from '../collection/agent.js';
import { Registry } from '../instances/registry.js';

/** Whether the agent can answer, or why not. */
@Injectable()
export class Readiness {
  draining = false;

  constructor(
    private readonly registry: Registry,
    private readonly agent: Agent,
  ) {}

  /** null when ready. */
  reason(): string | null {
    if (this.draining) return 'the agent is shutting down';
    if (!this.agent.warm) return 'the agent is starting';
    const host = this.registry.sources.find(({ name }) => name === 'host');
    return host && !host.ok ? `host discovery fails: ${host.error ?? 'unknown'}` : null;
  }
}
