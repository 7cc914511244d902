import { expect, test } from 'vitest';
import {
  asPattern,
  configDifferences,
  connectorConfig,
  type ConnectorFacts,
} from '../../connectors/debezium/connector-config.ts';
import {
  configErrors,
  shownConfig,
  withoutSecrets,
} from '../../connectors/debezium/connector-secrets.ts';
import {
  causeOf,
  failuresOf,
  isRunning,
  statusOf,
} from '../../connectors/debezium/connector-status.ts';
import { judgeConfig, type JudgeFacts } from '../../connectors/debezium/judge-config.ts';

const FACTS: ConnectorFacts = {
  database: {
    ...{ host: 'db', port: 5433, name: 'legacy', user: 'ann', password: 'pa$$word' },
    ...{ sslMode: 'verify-full', sslCa: '/etc/ca.crt' },
  },
  ...{
    slot: 'tandem',
    publication: 'pub',
    prefix: 'shop',
    backfillFrom: 'source',
    secretColumns: ['public.user.password'],
  },
  tables: [
    { schema: 'public', relation: 'user' },
    { schema: 'Odd.one', relation: 'a,b' },
  ],
  hasFragileColumns: false,
  format: { kind: 'json' },
  maxMessageBytes: 1000,
};
const JUDGED: JudgeFacts = {
  ...{ slot: 'tandem', publication: 'pub', prefix: 'shop', backfillFrom: 'source' },
  tables: [
    { schema: 'public', relation: 'user', columns: ['id', 'name'] },
    { schema: 'Odd.one', relation: 'a,b', columns: ['id'] },
  ],
};

test('where the log is loaded from, the connector takes a snapshot, and may have begun otherwise', () => {
  const loaded = connectorConfig({ ...FACTS, backfillFrom: 'log' });
  expect(loaded['snapshot.mode']).toBe('initial');
  for (const mode of ['initial', 'no_data', 'when_needed']) {
    const config = { ...loaded, 'snapshot.mode': mode };
    expect(judgeConfig(config, { ...JUDGED, backfillFrom: 'log' })).toEqual([]);
  }
});

test('what is planned is judged as right, in every format', () => {
  const registry = { url: 'http://r/apis/registry/v2', login: null };
  for (const format of [
    FACTS.format,
    { kind: 'avro', converter: 'apicurio', registry },
    { kind: 'avro', converter: 'confluent', registry },
  ] as const) {
    expect(judgeConfig(connectorConfig({ ...FACTS, format }), JUDGED)).toEqual([]);
  }
});

test('an Avro converter that writes ids of its own kind is named', () => {
  const registry = { url: 'http://r/apis/registry/v2', login: null };
  const format = { kind: 'avro', converter: 'apicurio', registry } as const;
  const { 'value.converter.apicurio.registry.use-id': _default, ...config } = connectorConfig({
    ...FACTS,
    format,
  });
  expect(judgeConfig(config, JUDGED)).toEqual([
    expect.objectContaining({
      setting: 'value.converter.apicurio.registry.use-id',
      found: 'globalId (default)',
      right: 'contentId',
    }),
  ]);
});

test('slot, publication, tables and the source as the workers see it are those of the settings', () => {
  expect(connectorConfig(FACTS)).toMatchObject({
    'slot.name': 'tandem',
    'slot.drop.on.stop': 'false',
    'publication.name': 'pub',
    'publication.autocreate.mode': 'disabled',
    'snapshot.mode': 'no_data',
    'table.include.list': 'public\\.user,Odd\\.one\\.a\\,b',
    'column.exclude.list': 'public\\.user\\.password',
    'database.hostname': 'db',
    'database.port': '5433',
    'database.sslmode': 'verify-full',
    'database.sslrootcert': '/etc/ca.crt',
    'value.converter.schemas.enable': 'false',
    'event.converting.failure.handling.mode': 'fail',
  });
  const without = connectorConfig({ ...FACTS, secretColumns: [], hasFragileColumns: true });
  expect(without).not.toHaveProperty('column.exclude.list');
  expect(without['event.converting.failure.handling.mode']).toBe('warn');
});

test('a name in a list matches itself alone, whatever it consists of', () => {
  const name = 'public.we+ird (a|b)[c]{d}^$\\?*,e';
  expect(asPattern(name)).toBe('public\\.we\\+ird \\(a\\|b\\)\\[c\\]\\{d\\}\\^\\$\\\\\\?\\*\\,e');
  expect(new RegExp(`^${asPattern(name)}$`).test(name)).toBe(true);
  expect(new RegExp(`^${asPattern('a.b')}$`).test('axb')).toBe(false);
});

test('both Avro converters are told of the registry and its login', () => {
  const registry = { url: 'http://r', login: { user: 'u', password: 'long secret' } };
  const apicurio = { kind: 'avro', converter: 'apicurio', registry } as const;
  expect(connectorConfig({ ...FACTS, format: apicurio })).toMatchObject({
    'key.converter': 'io.apicurio.registry.utils.converter.AvroConverter',
    'value.converter.apicurio.registry.url': 'http://r',
    'value.converter.apicurio.registry.headers.enabled': 'false',
    'value.converter.apicurio.registry.use-id': 'contentId',
    'value.converter.apicurio.auth.username': 'u',
    'schema.name.adjustment.mode': 'avro',
  });
  const confluent = { kind: 'avro', converter: 'confluent', registry } as const;
  const config = connectorConfig({ ...FACTS, format: confluent });
  expect(config).toMatchObject({
    'key.converter': 'io.confluent.connect.avro.AvroConverter',
    'value.converter.schema.registry.url': 'http://r',
    'value.converter.basic.auth.user.info': 'u:long secret',
  });
  expect(JSON.stringify(shownConfig(config))).not.toMatch(/secret|pa\$\$/);
});

test('a password is not shown, a reference to one is', () => {
  const shown = shownConfig(connectorConfig(FACTS));
  expect(shown['database.password']).toBe('***');
  const password = '${file:/etc/secrets.properties:password}';
  const database = { ...FACTS.database, password };
  const config = connectorConfig({ ...FACTS, database });
  expect(shownConfig(config)['database.password']).toBe(password);
  const told = withoutSecrets('FATAL: pa$$word is wrong', connectorConfig(FACTS));
  expect(told).toBe('FATAL: *** is wrong');
});

test.each([
  ['decimal.handling.mode', 'precise', 'string'],
  ['decimal.handling.mode', null, 'string'],
  ['time.precision.mode', 'connect', 'adaptive'],
  ['interval.handling.mode', 'numeric', 'string'],
  ['include.unknown.datatypes', null, 'true'],
  ['skipped.operations', null, 'none'],
  ['tombstones.on.delete', 'false', 'true'],
  ['snapshot.mode', 'initial', 'no_data'],
  ['slot.name', 'other', 'tandem'],
  ['publication.name', null, 'pub'],
  ['publication.autocreate.mode', 'filtered', 'disabled'],
  ['topic.prefix', 'other', 'shop'],
  ['plugin.name', 'decoderbufs', 'pgoutput'],
  ['slot.drop.on.stop', 'true', 'false'],
  ['errors.tolerance', 'all', 'none'],
  ['transforms', 'unwrap', 'none'],
  ['message.key.columns', 'public.user:name', 'none'],
  ['column.mask.with.5.chars', 'public.user.name', 'none'],
  ['table.include.list', 'public\\.user', 'a list with them, or none'],
  ['table.exclude.list', 'PUBLIC.*', 'a list without them'],
  ['column.include.list', 'public.user.id,.*a,b.id', 'a list with them, or none'],
  ['message.prefix.include.list', 'other', 'tandem\\..*'],
])('a connector with %s = %s is refused, and told %s', (setting, value, right) => {
  const { [setting]: _, ...rest } = connectorConfig(FACTS);
  const config = value === null ? rest : { ...rest, [setting]: value };
  const [fault, ...others] = judgeConfig(config, JUDGED);
  expect(others).toEqual([]);
  expect(fault).toMatchObject({ setting, right });
});

test('a difference names the setting, what is to be, and what is', () => {
  const wanted = { a: '1', b: '2', c: '3' };
  expect(configDifferences(wanted, { name: 'x', a: '1', b: '9', d: '4' })).toEqual([
    { name: 'b', wanted: '2', found: '9' },
    { name: 'c', wanted: '3', found: null },
    { name: 'd', wanted: null, found: '4' },
  ]);
});

test('complaints of Connect keep the name and the reason, and lose the value', () => {
  const entry = (name: string, ...errors: string[]) => ({ value: { name, value: 'x', errors } });
  const body = {
    configs: [
      entry(
        'key.converter',
        'Invalid value x y for configuration key.converter: Class x not found.',
      ),
      entry('snapshot.mode', "The 'snapshot.mode' value is invalid: Value must be one of a, b"),
      entry('fine'),
    ],
  };
  expect(configErrors(body)).toEqual([
    'key.converter: Class x not found.',
    'snapshot.mode: Value must be one of a, b',
  ]);
  expect(configErrors('nonsense')).toEqual([]);
});

test('of a stack trace the innermost cause stays, in a line, without what it quotes of rows', () => {
  const trace = [
    'org.apache.kafka.connect.errors.ConnectException: An exception occurred',
    '\tat io.debezium.Somewhere.run(Somewhere.java:1)',
    'Caused by: org.postgresql.util.PSQLException: ERROR: duplicate key',
    '\tat org.postgresql.Somewhere',
    'Caused by: io.debezium.DebeziumException: Failed with Struct{id=1,name=Ann} [email=a@b.c]',
  ].join('\n');
  expect(causeOf(trace)).toBe('DebeziumException: Failed with {…} {…}');
  expect(causeOf('java.lang.IllegalStateException')).toBe('IllegalStateException');
  expect(causeOf('x.PSQLException: ERROR: duplicate key Detail: Key (name)=(Ann) exists')).toBe(
    'PSQLException: ERROR: duplicate key',
  );
});

test('it runs when the connector and all of its tasks do; a failure says where', () => {
  const status = (connector: string, ...tasks: string[]) =>
    statusOf({
      name: 'x',
      connector: { state: connector, worker_id: 'w:1' },
      tasks: tasks.map((state, id) => ({ id, state, worker_id: 'w:1', trace: 'a.B: c' })),
    });
  const all = [status('RUNNING', 'RUNNING'), status('RUNNING'), status('PAUSED', 'PAUSED')];
  expect(all.map((it) => it !== null && isRunning(it))).toEqual([true, false, false]);
  const failed = status('RUNNING', 'RUNNING', 'FAILED');
  expect(failed === null ? null : failuresOf(failed)).toEqual([{ part: 'task 1', error: 'B: c' }]);
  expect(statusOf({ error_code: 404 })).toBeNull();
});
