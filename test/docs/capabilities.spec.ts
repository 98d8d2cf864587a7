import { expect, it } from 'vitest';
import { PROBES } from '../../src/modules/capabilities/probes.js';
import { readRoot } from './run.js';

it('docs/operations.md lists every capability, what it is good for, and no other', () => {
  const page = readRoot('docs/operations.md');
  const section = page.slice(page.indexOf('| capability |'), page.indexOf('## Who may ask'));
  const rows = [...section.matchAll(/^\| `([a-z_]+)` \| (.+) \|$/gm)].map(([, name, gives]) => ({ name, gives }));
  expect(rows).toEqual(PROBES.map(({ name, gives }) => ({ name, gives })));
});
