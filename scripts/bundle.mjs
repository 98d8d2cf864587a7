// The form the image ships: the compiled code with everything it needs in one file, dist-bundle/vmgauge.mjs, and its assets beside it.
// The bundle is made of tsc's output: from the sources esbuild would drop the decorators' metadata, and validation with it.
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const OUT = 'dist-bundle';
// Optional parts of Nest that are asked for by name and not here.
const EXTERNAL = [
  '@nestjs/microservices',
  '@nestjs/microservices/*',
  '@nestjs/websockets',
  '@nestjs/websockets/*',
  '@nestjs/platform-express',
  '@fastify/static',
  '@fastify/view',
  '@fastify/multipart',
];
// Libraries in the older module format ask for these; the names are ours, because the bundled code imports the same functions itself.
const BANNER = `
import { createRequire as bundleRequire } from 'node:module';
import { fileURLToPath as bundlePath } from 'node:url';
import { dirname as bundleDirectory } from 'node:path';
const require = bundleRequire(import.meta.url);
const __filename = bundlePath(import.meta.url);
const __dirname = bundleDirectory(__filename);
`;

/** Validators of telephone numbers that class-validator brings along: half a megabyte of tables that nothing here asks for. */
const withoutTelephones = {
  name: 'without-telephones',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^libphonenumber-js/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'export {};' }));
  },
};

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
await build({
  entryPoints: ['dist/cli.js'],
  outfile: `${OUT}/vmgauge.mjs`,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  keepNames: true,
  // Less text to hold in memory; keepNames leaves what logs and Nest's errors name.
  minify: true,
  plugins: [withoutTelephones],
  legalComments: 'linked',
  external: EXTERNAL,
  banner: { js: BANNER },
  logLevel: 'warning',
});
for (const file of ['package.json', 'openapi.yaml', 'LICENSE']) if (existsSync(file)) copyFileSync(file, `${OUT}/${file}`);
if (existsSync('dist/assets')) cpSync('dist/assets', `${OUT}/assets`, { recursive: true });
