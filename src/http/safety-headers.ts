/** On every answer, whatever it is: no guessing of types, no frames, and what old browsers need to hear about scripts. */
export const SAFETY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-xss-protection': '1; mode=block',
} as const;
