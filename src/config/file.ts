import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, Scalar } from 'yaml';
import { ConfigError, quoted } from './config-error.js';
import type { Declaration } from './declarations.js';
import { badValue, type Given, type GivenSettings } from './given.js';
import type { Vocabulary } from './vocabulary.js';

/** Far above any real file; comparing the keys of a map with each other takes time by the square of their number. */
const FILE_BYTES = 65_536;
/** Aliases can multiply a small file without end. */
const MAX_ALIASES = 100;

/** Settings of a YAML file, nested or dotted or both. @param name path of the file, for the error lines. @throws ConfigError */
export function readSettingsFile(name: string, text: string, vocabulary: Vocabulary): GivenSettings {
  if (Buffer.byteLength(text) > FILE_BYTES) throw new ConfigError(`file ${name} is longer than ${FILE_BYTES} bytes`);
  const lines = new LineCounter();
  const document = parse(name, text, lines);
  const reader = new FileReader(name, document, lines, vocabulary);
  return reader.read();
}

/** In the failsafe schema every scalar is its text: `0x10` or `1:30` mean what they would mean as a flag. */
function parse(name: string, text: string, lineCounter: LineCounter): Document.Parsed {
  const document = parseDocument(text, { schema: 'failsafe', lineCounter, uniqueKeys: true, prettyErrors: false });
  const problem = document.errors[0] ?? document.warnings[0];
  if (!problem) return document;
  // The library's word for thousands of open brackets is that of the stack that they exhaust.
  const what = problem.code === 'RESOURCE_EXHAUSTION' ? 'nested too deeply' : problem.message.replace(/\s+/g, ' ');
  throw new ConfigError(`file ${name} line ${lineCounter.linePos(problem.pos[0]).line}: ${what}`);
}

class FileReader {
  private readonly given = new Map<string, Given>();
  private aliases = 0;

  constructor(
    private readonly name: string,
    private readonly document: Document.Parsed,
    private readonly lines: LineCounter,
    private readonly vocabulary: Vocabulary,
  ) {}

  read(): GivenSettings {
    const { contents } = this.document;
    if (contents !== null && !isEmpty(contents)) this.readGroup('', contents, this.origin(contents));
    return this.given;
  }

  private readGroup(prefix: string, node: Node | null, origin: string): void {
    if (!isMap<Node, Node | null>(node))
      throw new ConfigError(`${prefix === '' ? 'the file' : prefix}: must hold settings by name (${origin})`);
    for (const { key, value } of node.items) {
      const where = this.origin(key);
      if (!isScalar(key) || typeof key.value !== 'string') throw new ConfigError(`a name of a setting must be one word (${where})`);
      this.readEntry(prefix === '' ? key.value : `${prefix}.${key.value}`, this.resolve(value, where), where);
    }
  }

  private readEntry(key: string, node: Node | null, origin: string): void {
    const declaration = this.vocabulary.declaration(key);
    if (this.vocabulary.isGroup(key)) {
      // A group whose members are all commented out.
      if (isEmpty(node)) return;
      if (isMap(node) || !declaration) {
        this.readGroup(key, node, origin);
        return;
      }
    }
    // No value: under a misspelt name it may be a secret.
    if (!declaration) {
      const why = this.vocabulary.whyUnknown(key);
      throw new ConfigError(`unknown setting ${quoted(key)}${why === '' ? '' : `: ${why}`} (${origin})`);
    }
    const before = this.given.get(key);
    if (before) throw new ConfigError(`${key}: is given twice (${before.origin} and ${origin})`);
    if (key === 'config.file') throw new ConfigError(`${key}: cannot stand in the file itself (${origin})`);
    this.given.set(key, { texts: this.texts(declaration, node, origin), origin });
  }

  private texts(declaration: Declaration, node: Node | null, origin: string): readonly string[] {
    if (isEmpty(node)) return [''];
    if (isScalar(node)) return [String(node.value)];
    if (!isSeq<Node | null>(node)) throw badValue(declaration, { texts: ['{…}'], origin }, 'must be a value, not a group');
    const items = node.items.map((item) => this.resolve(item, origin));
    const texts = items.map((item) => (isScalar(item) ? String(item.value) : '…'));
    if (!declaration.kind.repeatable) throw badValue(declaration, { texts, origin }, 'must be one value, not a list');
    if (!items.every((item) => isScalar(item))) throw badValue(declaration, { texts, origin }, 'must be a list of single values');
    return texts;
  }

  private resolve(node: Node | null, origin: string): Node | null {
    if (!isAlias(node)) return node;
    if (++this.aliases > MAX_ALIASES) throw new ConfigError(`more than ${MAX_ALIASES} aliases (${origin})`);
    const target = node.resolve(this.document);
    if (!target) throw new ConfigError(`alias ${quoted(node.source)} has no anchor before it (${origin})`);
    return target;
  }

  private origin(node: Node): string {
    return `file ${this.name} line ${this.lines.linePos(node.range?.[0] ?? 0).line}`;
  }
}

/** Nothing after the colon, or a plain null: no value. */
function isEmpty(node: Node | null): boolean {
  if (node === null) return true;
  return isScalar(node) && node.type === Scalar.PLAIN && /^(|~|null|Null|NULL)$/.test(String(node.value));
}
