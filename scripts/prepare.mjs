// Makes a checkout ready to run: installs what package-lock.json says and builds, each only when something changed since.
// Runs on the system's Node, before anything is installed: nothing but Node's own modules here.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => join(root, ...parts);
const MARK = 'node_modules/.vmgauge-prepared';

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(`vmgauge needs Node 20.19 or later to set itself up; this is ${process.version}`);
  process.exit(1);
}

const installed = digest(['package.json', 'package-lock.json']);
const built = digest([...filesBelow('src'), ...filesBelow('scripts'), 'tsconfig.json', 'nest-cli.json', 'package.json', 'openapi.yaml']);
const done = existsSync(at(MARK)) ? JSON.parse(readFileSync(at(MARK), 'utf8')) : {};

if (done.installed !== installed || !existsSync(at('node_modules/.bin/node'))) {
  // Not `npm ci`: it refuses a lock file that lacks the tools' packages for platforms a registry does not carry.
  run('installing', 'npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
}
if (done.installed !== installed || done.built !== built || !existsSync(at('dist/cli.js'))) {
  run('building', 'npm', ['run', '--silent', 'build']);
}
mkdirSync(at('node_modules'), { recursive: true });
writeFileSync(at(MARK), JSON.stringify({ installed, built }));

function filesBelow(directory) {
  return readdirSync(at(directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
    .sort();
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) if (existsSync(at(file))) hash.update(`${file}\0`).update(readFileSync(at(file)));
  return hash.digest('hex');
}

function run(what, command, args) {
  console.error(`vmgauge: ${what} …`);
  // Standard output belongs to the program that is started afterwards.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  console.error(`vmgauge: ${what} failed${error ? `: ${error.message}` : ''}`);
  process.exit(1);
}
