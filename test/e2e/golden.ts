import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** `UPDATE_GOLDEN=1 vitest run --config test/e2e/vitest.config.ts golden` writes them anew; then read the diff. */
const UPDATE = process.env.UPDATE_GOLDEN === '1';
const ROOT = fileURLToPath(new URL('../golden/', import.meta.url));

/**
 * What two machines or two releases never share: our version and Node's. Everything else is frozen by the recorded host, or left out by
 * switching the agent's own process metrics off (agent.ts).
 */
const VERSIONS = /(vmgauge_build_info\{version=)"[^"]*",node_version="[^"]*"/;
/** Another word for each start. */
const AGENT = /(vmgauge_upstreams_agent_info\{agent=)"[0-9a-f]{16}"/;
const HOSTS = fileURLToPath(new URL('../../fixtures/hosts/', import.meta.url));
/** Paths of a recorded host as if they were the machine's: `/run/kata` for `…/fixtures/hosts/<story>/run/kata`. */
const asMachine = (text: string): string =>
  text
    .split(HOSTS)
    .map((part, index) => (index === 0 ? part : part.slice(part.indexOf('/'))))
    .join('');
const masked = (text: string): string =>
  asMachine(text.replace(VERSIONS, '$1"0.0.0",node_version="v0.0.0"').replace(AGENT, '$1"0123456789abcdef"'));

/** A body against its golden file. JSON is indented there, so that a diff can be read. @param name `two-qemu/stats.json` */
export function expectGolden(name: string, body: string): void {
  const text = masked(name.endsWith('.json') ? `${JSON.stringify(JSON.parse(body), null, 2)}\n` : body);
  const path = join(ROOT, name);
  if (UPDATE) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(text).toBe(readGolden(path));
}

/** Every golden file there is, by name. */
export const goldenNames = (): string[] =>
  readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .sort();

function readGolden(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} is missing; UPDATE_GOLDEN=1 writes it`, { cause: error });
  }
}
