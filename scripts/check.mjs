// Every check of this repository, in the order of what is quickest to mend. `npm test -- unit e2e` runs some of them alone.
// What a machine lacks is skipped with its reason; with VMGAUGE_NO_SKIP=1 it fails instead.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STEPS = [
  { name: 'lint', command: ['biome', 'ci', '--error-on-warnings'] },
  { name: 'types', command: ['tsc', '--noEmit', '-p', 'tsconfig.test.json'] },
  { name: 'arrows', command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'src'] },
  { name: 'unused', command: ['knip'] },
  { name: 'unit', config: 'vitest.config.ts' },
  { name: 'e2e', config: 'test/e2e/vitest.config.ts' },
  { name: 'docs', config: 'test/docs/vitest.config.ts' },
  { name: 'system', config: 'test/system/vitest.config.ts' },
  { name: 'live', config: 'test/live/vitest.config.ts' },
];

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!STEPS.some((step) => step.name === name)) {
    console.error(`no check is called ${name}; there are ${STEPS.map((step) => step.name).join(', ')}`);
    process.exit(1);
  }
}

const reports = mkdtempSync(join(tmpdir(), 'vmgauge-check-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
try {
  for (const step of STEPS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) run(step);
} finally {
  rmSync(reports, { recursive: true, force: true });
}
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(failures.length === 0 ? 0 : 1);

function run(step) {
  console.log(`\n== ${step.name}`);
  const report = join(reports, `${step.name}.json`);
  const [command, ...args] = step.command ?? [
    'vitest',
    'run',
    '--config',
    step.config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) console.error(error.message);
  if (step.command) total[status === 0 ? 'passed' : 'failed']++;
  else count(report, status);
  if (status !== 0) failures.push(step.name);
}

/** A runner that ended before it could report has failed once. */
function count(report, status) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
    total.passed += numPassedTests;
    total.failed += numFailedTests;
    total.skipped += numPendingTests + numTodoTests;
    if (status !== 0 && numFailedTests === 0) total.failed++;
  } catch {
    total.failed++;
  }
}
