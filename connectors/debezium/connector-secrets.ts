/** Names and values as Connect takes them. */
export type ConnectorConfig = Readonly<Record<string, string>>;

/** Settings whose values are nobody's business, whoever has written them. */
const SECRET = /password|secret|credential|token|user\.info|jaas|private\.key/i;
/** What a config provider resolves is no secret: it only says where that lies. */
const REFERENCE = /^\$\{[^{}]+\}$/;

/** The value as it may be shown. */
export function shownValue(name: string, value: string): string {
  if (SECRET.test(name) && !REFERENCE.test(value)) return '***';
  return value.replace(/(\/\/[^/:@\s]*:)[^@\s]*@/g, '$1***@');
}

export function shownConfig(config: ConnectorConfig): ConnectorConfig {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, shownValue(name, value)]),
  );
}

/** Somebody else's text, without the secrets of the configuration that it is about. */
export function withoutSecrets(text: string, config: ConnectorConfig): string {
  return Object.entries(config).reduce((shown, [name, value]) => {
    const isSecret = value.length >= 4 && shownValue(name, value) !== value;
    return isSecret ? shown.replaceAll(value, '***') : shown;
  }, text);
}

/** `name: message` of everything that `validate` complains of; the values are left out. */
export function configErrors(body: unknown): readonly string[] {
  const configs = isRecord(body) && Array.isArray(body['configs']) ? body['configs'] : [];
  return configs.flatMap((entry: unknown) => {
    const value = isRecord(entry) ? entry['value'] : null;
    if (!isRecord(value) || !Array.isArray(value['errors'])) return [];
    const messages: readonly unknown[] = value['errors'];
    return messages.map((message) => `${String(value['name'])}: ${withoutValue(String(message))}`);
  });
}

/** Connect's `Invalid value … for configuration …: reason`, Debezium's `The '…' value is invalid: …`. */
function withoutValue(message: string): string {
  const [line = ''] = message.split('\n');
  return line
    .replace(/^Invalid value .* for configuration [^\s:]+:? ?/, '')
    .replace(/^The '[^']+' value is invalid: /, '')
    .slice(0, 300);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
