import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { isSupportedNode, OLDEST_NODE } from './node-version.js';

it.each([
  ['20.19.6', false],
  ['22.11.0', false],
  ['22.12.0', true],
  ['22.21.1', true],
  ['24.0.0', true],
  ['100.1.2', true],
])('Node %s is supported: %s', (version, expected) => {
  expect(isSupportedNode(version)).toBe(expected);
});

it('the oldest is that of package.json', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(engines.node).toContain(OLDEST_NODE);
});
