import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT, readRoot } from './run.js';

const TEXT = readRoot('docs/adding.md');
const fences = (language: string, mark: string): [string, string][] =>
  [...TEXT.matchAll(new RegExp(`^\`\`\`${language}\n${mark} (\\S+)\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, path, body]) => [path, body]);

/** The lines that a diff wants to see in a file, and what it makes of them. */
const before = (diff: string): string => lines(diff, ' -');
const after = (diff: string): string => lines(diff, ' +');
const lines = (diff: string, marks: string): string =>
  diff
    .split('\n')
    .filter((line) => line !== '' && marks.includes(line[0]))
    .map((line) => `${line.slice(1)}\n`)
    .join('');

/** Files as they would be, by absolute path. */
function additions(): Map<string, string> {
  const files = new Map(fences('ts', '//').map(([path, text]) => [join(ROOT, path), text]));
  for (const [path, diff] of fences('diff', '#')) {
    const present = files.get(join(ROOT, path)) ?? readRoot(path);
    expect(present).toContain(before(diff));
    files.set(join(ROOT, path), present.replace(before(diff), after(diff)));
  }
  return files;
}

/** What the compiler says of these files in the place of those on the disk. */
function complaints(files: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['src/embed.ts'] }, ts.sys, ROOT);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const { readFile, fileExists } = host;
  host.readFile = (path) => files.get(path) ?? readFile.call(host, path);
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path);
  host.getSourceFile = (path, language) => {
    const text = host.readFile(path);
    return text === undefined ? undefined : ts.createSourceFile(path, text, language);
  };
  const program = ts.createProgram([...files.keys()], { ...options, noEmit: true, declaration: false }, host);
  return [...files.keys()].flatMap((path) => {
    const source = program.getSourceFile(path);
    expect({ path, compiled: source !== undefined }).toEqual({ path, compiled: true });
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${path.slice(ROOT.length)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
}

describe('the examples of docs/adding.md', () => {
  it('are one file of each kind', () => {
    const kinds = fences('ts', '//').map(([path]) => /\.([a-z-]+)\.ts$/.exec(path)?.[1]);
    expect(kinds).toEqual(['collector', 'host-collector', 'driver', 'source']);
  });

  it('compile, with the lines that put them on their lists', () => {
    expect(complaints(additions())).toEqual([]);
  });

  it('would not compile without them: the driver needs its word', () => {
    const files = additions();
    files.delete(join(ROOT, 'src/model/instance.ts'));
    expect(complaints(files)).toEqual([expect.stringContaining('crosvm')]);
  });
});
