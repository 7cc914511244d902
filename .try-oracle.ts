import pg from 'pg';
import { readFileSync, readdirSync } from 'node:fs';
const R = '/work/main/';
const { startPostgres } = await import(R + 'demo/servers/postgres.ts');
const { createLegacySchema } = await import(R + 'demo/legacy/schema.ts');
const { generateLegacy } = await import(R + 'demo/legacy/generate.ts');
const { startTraffic } = await import(R + 'demo/legacy/traffic.ts');
const { openClient, textRows } = await import(R + 'connectors/postgres/connection.ts');
const { controlSchemaSql } = await import(R + 'consumers/control-schema.ts');
const { mirrorSchemaSql } = await import(R + 'consumers/mirror-schema.ts');
const { readUsages } = await import(R + 'core/usage.ts');
const { mirrorTables } = await import(R + 'connectors/postgres/mirror-tables.ts');
const { readTargetTables } = await import(R + 'consumers/target-tables.ts');
const { buildModel } = await import(R + 'consumers/model.ts');
const { createSlot } = await import(R + 'connectors/postgres/slot.ts');
const { identifySource } = await import(R + 'connectors/postgres/source-identity.ts');
const P = await import(R + 'consumers/position.ts');
const { backfill } = await import(R + 'backfill/backfill.ts');
const { Applier } = await import(R + 'consumers/apply.ts');
const { stream } = await import(R + 'consumers/stream.ts');
const { PostgresSource } = await import(R + 'connectors/postgres/replication-source.ts');
const { formatLsn } = await import(R + 'core/version.ts');
const mapping = (await import(R + 'transforms/mapping.ts')).default;
const scale = process.argv[2] ?? 'small';
const seconds = Number(process.argv[3] ?? 10);
const t0 = Date.now(); const log = (...a: unknown[]) => console.log(((Date.now() - t0) / 1000).toFixed(2), ...a);
const src = await startPostgres(); const tgt = await startPostgres({ settings: { max_wal_size: '4GB' } });
try {
  const parse = (await import('pg-connection-string')).parse;
  const db = (side: string, url: string) => ({ side, client: { ...parse(url) } });
  await createLegacySchema(src.connectionString(), { sharedPatientAccounts: true });
  await generateLegacy({ connectionString: src.connectionString(), seed: 1, scale });
  log('generated');
  const source = db('source', src.connectionString()), target = db('target', tgt.connectionString());
  const s = await openClient(source, 'try'), t = await openClient(target, 'try');
  for (const sql of controlSchemaSql()) await t.query(sql);
  const mc = new pg.Client(tgt.connectionString()); await mc.connect();
  for (const f of readdirSync(R + 'supabase/migrations').sort()) await mc.query(readFileSync(R + 'supabase/migrations/' + f, 'utf8'));
  await mc.end();
  const { tables } = readUsages(mapping);
  const wanted = new Map([...tables].map(([n, w]: any) => [n, { key: w.key, columns: [...w.columns] }]));
  const mirror = await mirrorTables(s, wanted);
  const lookups = new Map([...tables].map(([n, w]: any) => [n, w.lookups]));
  for (const sql of mirrorSchemaSql([...mirror.values()], lookups)) await t.query(sql);
  await s.query('create publication tandem for table ' + [...mirror.values()].map((m: any) => `public."${m.relation}"`).join(', '));
  const id = await identifySource(s);
  const cp = await createSlot(s, 'tandem');
  await P.storePosition(t, { stream: 'main', slot: 'tandem', systemIdentifier: id.systemIdentifier, timeline: id.timeline, consistentPoint: formatLsn(cp) });
  const model = buildModel(mapping, [...mirror.values()], await readTargetTables(t, mapping));
  log('setup', model.entities.map((e: any) => e.name).join(' '));
  const stopT = new AbortController();
  const traffic = seconds > 0 ? startTraffic({ connectionString: src.connectionString(), seed: 5, changesPerSecond: 300, signal: stopT.signal }) : Promise.resolve(null);
  const observer = { event: (n: string, f: any, l?: string) => { if (l !== 'debug') log(l ?? '', n, JSON.stringify(f, (_, v) => typeof v === 'bigint' ? String(v) : v)); }, progress() {}, batch(r: any) { n.events += r.events; n.batches++; n.lag = r.heartbeatLagMs ?? n.lag; if (r.events > 5000) log('batch', r.events, JSON.stringify(r.phaseMs)); } };
  const n = { events: 0, batches: 0, lag: 0 };
  const reader = { async readByKey(): Promise<never> { throw new Error('reader'); } };
  const { PostgresSourceReader } = await import(R + 'connectors/postgres/barrier.ts').catch(() => ({ PostgresSourceReader: null }));
  const rd = PostgresSourceReader ? new PostgresSourceReader({ database: source, observer }) : reader;
  const options = { stream: 'main', maxRoots: 20000, stopShare: 0.05, onTruncate: 'stop' };
  const open = async () => {
    const client = await openClient(target, 'apply');
    const cursor = await P.takeOver(client, 'main');
    const applier = await Applier.open({ client, model, options, reader: rd, observer, cursor, consistentAfter: await P.readUntil(client) });
    return { applier, close: () => client.end(), client };
  };
  const ac = new AbortController();
  await backfill({ source, target, model, consistentPoint: cp, workers: 2, chunkRows: 50000, portionRows: 10000, applier: open, observer, signal: ac.signal });
  log('backfilled', process.memoryUsage().rss / 1e6);
  const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((r) => setTimeout(r, ms)) };
  const st = stream({ maxBytes: 32e6, maxEvents: 20000, signal: ac.signal, observer, clock, pauseMs: () => 1000, open: async () => {
    const o = await open();
    return { applier: o.applier, close: o.close, source: new PostgresSource({ database: source, slot: 'tandem', publication: 'tandem', tables: [...mirror.values()], observer, clock }) };
  } });
  st.catch((e: any) => { log('STREAM FAILED', e, e.cause); process.exitCode = 1; });
  await new Promise((r) => setTimeout(r, seconds * 1000));
  stopT.abort(); log('traffic', JSON.stringify(await traffic).slice(0, 600));
  for (const file of (process.env.NASTY ?? '').split(' ')) { const nc = new pg.Client(src.connectionString()); await nc.connect();
    const parts = readFileSync(file, 'utf8').split(/(?<=^|;\s*)commit;\n/m);
    for (const part of parts) { if (part.trim() === '') continue; try { await nc.query(part + ' commit;'); } catch (e: any) { log('NASTY FAILED', e.message, part.slice(Math.max(0, Number(e.position ?? 1) - 60), Number(e.position ?? 1) + 60)); await nc.query('rollback'); } }
    await nc.end(); }
  const [[lsn]] = await textRows(s, 'select pg_current_wal_insert_lsn()');
  await s.query(`select pg_logical_emit_message(false, 'x', 'y')`);
  for (let i = 0; i < 600; i++) {
    const [[ok]] = await textRows(t, `select position::pg_lsn >= $1::pg_lsn and not exists (select from tandem.job) from tandem.position`, [lsn]);
    if (ok === 't') break; await new Promise((r) => setTimeout(r, 50));
  }
  log('caught up', n, process.memoryUsage().rss / 1e6);
  ac.abort(); await st; log('stopped');
  for (const e of model.entities) for (const tb of e.targets) {
    const [[c, live]] = await textRows(t, `select count(*), count(*) filter (where deleted_at is null) from public.${tb}`);
    const [[root]] = await textRows(t, `select count(*) from legacy.${e.shape.table.name} where not _deleted`);
    const [[h, u, x, q, i]] = await textRows(t, `select (select count(*) from tandem.held where entity=$1),(select count(*) from tandem.unresolved where entity=$1),(select count(*) from tandem.excluded where entity=$1),(select count(*) from tandem.quarantine where entity=$1),(select count(*) from tandem.issue where entity=$1)`, [e.name]);
    console.log(e.name.padEnd(20), tb.padEnd(20), 'rows', c, 'live', live, 'roots', root, 'held', h, 'unres', u, 'excl', x, 'quar', q, 'issues', i);
  }
  console.log((await textRows(t, 'select entity, error_class, message, count(*) from tandem.quarantine group by 1,2,3 order by 4 desc limit 10')));
  console.log((await textRows(t, 'select origin, count(*) from public.order_state_history group by 1')));
  if (process.argv[4]) { console.log(src.connectionString(), tgt.connectionString()); await new Promise((r) => setTimeout(r, Number(process.argv[4]) * 1000)); }
  await s.end(); await t.end();
} catch (e: any) { console.error(e, e?.cause); process.exitCode = 1; }
finally { await src.stop(); await tgt.stop(); }
