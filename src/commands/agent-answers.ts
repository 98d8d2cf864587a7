import { type HttpAnswer, httpGet } from '../host/http-client.js';
import { listenerOwners } from '../host/listener-owner.js';
import type { AgentAddress } from './agent-address.js';
import { type Answer, type Answers, type Problem, problemIn } from './answers.js';
import { CommandError, NoAgentError } from './command-error.js';

/** All questions of one command together. */
const DEADLINE_MS = 5000;
const BYTES = 64 << 20;
/** Nobody listens there: ENOENT for a socket, ECONNREFUSED for a port, or for a socket that its server left behind. */
const NOBODY: ReadonlySet<unknown> = new Set(['ENOENT', 'ECONNREFUSED']);
/** How our 401 is told from another server's. */
const CHALLENGE = /^Bearer realm="vmgauge"/;

/** The agent that runs on this host, if it is one. */
export class AgentAnswers implements Answers {
  private readonly end = performance.now() + DEADLINE_MS;
  private bytesLeft = BYTES;
  /** Sent only after the server has asked for it in our words: what else listens on the port does not get it. */
  private authorization: Readonly<Record<string, string>> = {};

  readonly address: string;

  /**
   * @param token of the configuration, read when it is asked for; undefined where none is set
   * @param trusted users who may be told the token: whoever else took the port first would only say that he wants it
   */
  constructor(
    private readonly agent: AgentAddress,
    private readonly token: () => string | undefined,
    private readonly trusted: () => ReadonlySet<number>,
  ) {
    this.address = agent.words;
  }

  get url(): string | null {
    return 'port' in this.agent.target ? `http://${this.address}/` : null;
  }

  async get(path: string): Promise<Answer> {
    const first = await this.ask(path);
    if (first.status !== 401 || !CHALLENGE.test(first.headers.get('www-authenticate') ?? '')) return this.answerOf(first);
    const token = this.token();
    const words = this.address;
    if (token === undefined) {
      throw new CommandError(
        `the agent at ${words} asks for a token: web.token-file (VMGAUGE_WEB_TOKEN_FILE) names the file that holds it`,
      );
    }
    await this.checkListener();
    this.authorization = { authorization: `Bearer ${token}` };
    const second = await this.ask(path);
    if (second.status === 401) throw new CommandError(`the agent at ${words} does not take the first token of web.token-file`);
    return this.answerOf(second);
  }

  private async checkListener(): Promise<void> {
    const owners = await listenerOwners(this.agent.target);
    const trusted = this.trusted();
    if (owners.length > 0 && owners.every((uid) => trusted.has(uid))) return;
    const whose = owners.length === 0 ? 'nobody knows whom' : `user ${owners.join(', ')}`;
    throw new CommandError(
      `what listens at ${this.address} belongs to ${whose}, not to root, to you or to the owner of web.token-file: it is not told the token`,
    );
  }

  async prepare(): Promise<void> {}

  async prepareSurvey(): Promise<void> {}

  strange(): never {
    throw this.stranger();
  }

  refused({ status, code, detail }: Problem): never {
    throw new CommandError(`the agent at ${this.address} answers ${status} ${code}: ${detail}`);
  }

  private stranger(): NoAgentError {
    return new NoAgentError(`what answers at ${this.address} is not vmgauge: this host is read without an agent`);
  }

  private answerOf({ status, body }: HttpAnswer): Answer {
    if (status === 200) return { body };
    const problem = problemIn(status, body);
    return problem ? { problem } : this.strange();
  }

  private async ask(path: string): Promise<HttpAnswer> {
    const limits = { deadlineMs: Math.max(0, this.end - performance.now()), bodyBytes: this.bytesLeft };
    try {
      const answer = await httpGet(this.agent.target, path, this.authorization, limits);
      this.bytesLeft -= answer.body.length;
      return answer;
    } catch (error) {
      throw this.explain(error);
    }
  }

  private explain(error: unknown): unknown {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const words = this.address;
    if (NOBODY.has(code)) return new NoAgentError(null);
    if (typeof code !== 'string') return error;
    if (code.startsWith('HPE_')) return this.stranger();
    if (code === 'ETIMEDOUT') return new CommandError(`what listens at ${words} gave no answer within ${DEADLINE_MS / 1000} s`);
    if (code === 'EFBIG') return new CommandError(`the answer from ${words} is longer than ${BYTES} bytes`);
    if (code === 'ECONNRESET' || code === 'EPIPE') return new CommandError(`what listens at ${words} broke off its answer (${code})`);
    return new CommandError(`no agent can be asked at ${words}: ${code}`);
  }
}
