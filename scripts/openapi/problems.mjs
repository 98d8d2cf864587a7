// Errors: one schema, one example for each code, made by the function that makes the real ones.
import { problem } from '../../dist/http/problem.js';
import { ERRORS } from '../../dist/model/errors.js';
import { ID_PATTERN } from '../../dist/model/instance.js';

const PROBLEM_TYPE = 'application/problem+json';

const STATS = '/instances/web-1/stats';
/** What each code says in a typical case: where, and the detail. */
const CASES = {
  invalid_id: ['/instances/web%201', `an id is 1 to 128 characters of ${ID_PATTERN.source}`],
  invalid_request: [STATS, 'window must be from 1s to 310s'],
  unauthorized: [STATS, 'a bearer token is needed'],
  not_found: [STATS, 'Container ID (web-1) does not exist'],
  method_not_allowed: ['/instances/web-1', 'registration is off; source.registration.token-file turns it on'],
  ambiguous: ['/instances/web', 'more than one instance matches web; use a full id'],
  conflict: ['/instances/web-1', 'process 4242 is another one: start_ticks or boot_id differ'],
  payload_too_large: ['/instances/web-1', 'Request body is too large'],
  uri_too_long: ['/instances', 'the URL is too long'],
  unsupported_media_type: ['/instances/web-1', 'Unsupported Media Type'],
  request_timeout: ['/', 'the request took too long to arrive'],
  headers_too_large: ['/', 'the request line and the headers are longer than this server reads'],
  rate_limited: ['/metrics', 'Rate limit exceeded'],
  internal_error: [STATS, 'an unexpected error; the log has it'],
  unavailable: ['/readyz', 'the agent is starting'],
};

const text = (description) => ({ type: 'string', description });

export const problemSchema = {
  type: 'object',
  description: 'What went wrong: RFC 9457, and `code` and `message` beside it, which clients of hypeman read.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'message'],
  properties: {
    type: text('`urn:vmgauge:problem:` and the code.'),
    title: text('The code in words.'),
    status: {
      type: 'integer',
      description: 'The HTTP status.',
      enum: [...new Set(Object.values(ERRORS).map(({ status }) => status))].sort(),
    },
    detail: text('What was wrong this time, for a person.'),
    instance: text('Path of the request, cut after 256 characters.'),
    code: { type: 'string', description: 'For programs.', enum: Object.keys(ERRORS) },
    message: text('The same as `detail`.'),
  },
};

/** components.examples */
export function problemExamples() {
  return Object.fromEntries(
    Object.entries(ERRORS).map(([code, { title }]) => {
      if (!CASES[code]) throw new Error(`no example for the error ${code}`);
      const [url, detail] = CASES[code];
      return [code, { summary: title, value: problem(code, detail, url) }];
    }),
  );
}

const header = (description) => ({ description, schema: { type: 'string' } });
const HEADERS = {
  401: { 'WWW-Authenticate': header('Bearer, and the realm.') },
  405: { Allow: header('Methods that the path answers.') },
  429: { 'Retry-After': header('Seconds to wait, whole ones.') },
  503: { 'Retry-After': header('Seconds to wait; not for every reason.') },
};

/** The name of a response in components.responses: `InvalidIdOrInvalidRequest`. */
const nameOf = (codes) => codes.map((code) => code.replace(/(^|_)([a-z])/g, (_, _before, letter) => letter.toUpperCase())).join('Or');

/** Further types of one status. */
const ALSO = {
  429: {
    'text/plain': { schema: { type: 'string' }, examples: { text: { summary: 'More than web.rate-limit', value: 'Rate limit exceeded' } } },
  },
};

const response = (codes, description) => ({
  description,
  ...(HEADERS[ERRORS[codes[0]].status] ? { headers: HEADERS[ERRORS[codes[0]].status] } : {}),
  content: {
    [PROBLEM_TYPE]: {
      schema: { $ref: '#/components/schemas/Problem' },
      examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
    },
    ...ALSO[ERRORS[codes[0]].status],
  },
});

/** Error responses of the routes, each made once. The codes that no route names can befall any request: they are the default. */
export class ProblemResponses {
  components = {};

  constructor(named) {
    const anywhere = Object.keys(ERRORS).filter((code) => !named.includes(code));
    this.components.Other = response(anywhere, 'Any other error, which has the same shape.');
    delete this.components.Other.headers;
  }

  /** @returns references by status for the codes of one route */
  of(codes) {
    const byStatus = new Map();
    for (const code of codes) byStatus.set(ERRORS[code].status, [...(byStatus.get(ERRORS[code].status) ?? []), code]);
    const statuses = [...byStatus].sort(([a], [b]) => a - b).map(([status, own]) => [String(status), this.reference(own)]);
    return { ...Object.fromEntries(statuses), default: { $ref: '#/components/responses/Other' } };
  }

  reference(codes) {
    const name = nameOf(codes);
    this.components[name] ??= response(codes, codes.map((code) => `${ERRORS[code].title}: \`${code}\`.`).join(' '));
    return { $ref: `#/components/responses/${name}` };
  }
}
