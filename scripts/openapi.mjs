// Writes openapi.yaml; with --check only compares. Needs a build.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { firstDifference } from './openapi/difference.mjs';
import { makeDocument } from './openapi/document.mjs';

const path = new URL('../openapi.yaml', import.meta.url);
const HEAD = '# Generated from the controllers: node scripts/openapi.mjs\n';

const text = HEAD + stringify(await makeDocument(), { lineWidth: 120, aliasDuplicateObjects: false });
const committed = existsSync(path) ? readFileSync(path, 'utf8') : '';
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (committed !== text) {
  process.stderr.write(
    `openapi.yaml is not what the controllers say; node scripts/openapi.mjs writes it anew\n${firstDifference(committed, text)}\n`,
  );
  process.exitCode = 1;
}
