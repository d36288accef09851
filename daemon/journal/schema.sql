-- The journal, version 2.
--
-- Five tables hold everything; the rest are views over them with the columns of the CSV files.
-- A live journal has a row in `turns` for every turn, inputs and outputs; it says `papl` in its
-- application_id. A replay's journal (`papr`) has a row for each turn that had outputs or was a
-- command, and holds what comes once a bar as little-endian columns in `blocks`: the views `bars`,
-- `predictions`, `equity` and `gaps` are empty there. Each row's `hash` is the sha256 of the row
-- before and of its own content, so a changed, lost or added row shows.
-- Instants are UTC nanoseconds; the views print them as ISO-8601.

PRAGMA user_version = 2;
PRAGMA application_id = 1885433970;

CREATE TABLE segments (
    segment   INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    manifest  TEXT    NOT NULL, -- JSON: config, hashes of everything that decides, versions
    opening   TEXT    NOT NULL, -- JSON: the account's opening values
    hash      BLOB    NOT NULL
) STRICT;

CREATE TABLE turns (
    seq         INTEGER PRIMARY KEY,
    segment     INTEGER NOT NULL REFERENCES segments (segment),
    instant     INTEGER NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind = 'slice' OR kind = 'tick' OR kind = 'command'),
    input       TEXT,               -- JSON; NULL where the input is in the blocks
    predictions TEXT,               -- JSON: a list; NULL for none
    gate        INTEGER,            -- the order before which the latch was first seen; NULL: never
    equity      INTEGER,            -- micro-dollars after a slice that is not warm-up
    outputs     TEXT    NOT NULL,   -- JSON: a list, in the order they came about
    wall        INTEGER,            -- the clock when the row was written: explains, never decides
    hash        BLOB    NOT NULL
) STRICT;

CREATE TABLE ledger ( -- what decides nothing and should be known
    entry   INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL REFERENCES segments (segment),
    seq     INTEGER NOT NULL,   -- the turn it was stored with
    kind    TEXT    NOT NULL CHECK (kind = 'gap' OR kind = 'feed'),
    instant INTEGER NOT NULL,
    symbol  TEXT    NOT NULL,   -- '' where it is not about one symbol
    start   INTEGER,
    end     INTEGER,
    outcome TEXT    NOT NULL,   -- how an expected bar ended; what happened to the feed
    detail  TEXT    NOT NULL,
    hash    BLOB    NOT NULL
) STRICT;

CREATE TABLE closings ( -- the account by value at each orderly stop
    closing INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL REFERENCES segments (segment),
    seq     INTEGER NOT NULL,   -- the last turn before it
    account TEXT    NOT NULL,   -- JSON
    hash    BLOB    NOT NULL
) STRICT;

CREATE TABLE blocks (
    block   INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL REFERENCES segments (segment),
    kind    TEXT    NOT NULL CHECK (kind IN ('sessions', 'bars', 'predictions', 'equity', 'gaps')),
    symbol  TEXT    NOT NULL,   -- '' where the block is not about one symbol
    count   INTEGER NOT NULL,
    columns BLOB    NOT NULL,   -- msgpack: {name: little-endian array}
    hash    BLOB    NOT NULL
) STRICT;

CREATE VIEW outputs AS
SELECT t.seq, t.instant, json_extract(e.value, '$.type') AS type, e.value AS body
FROM turns AS t, json_each(t.outputs) AS e;

CREATE VIEW fills AS
SELECT
    json_extract(body, '$.fill_id') AS fill_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.effective') / 1000000000, 'unixepoch')
        AS ts_effective,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.known') / 1000000000, 'unixepoch')
        AS ts_known,
    json_extract(body, '$.order_id') AS order_id,
    json_extract(body, '$.symbol') AS symbol,
    json_extract(body, '$.side') AS side,
    json_extract(body, '$.quantity') AS quantity,
    json_extract(body, '$.price_e4') / 10000.0 AS price,
    json_extract(body, '$.commission_micros') / 1000000.0 AS commission,
    (json_extract(body, '$.sec_micros') + json_extract(body, '$.taf_micros')
        + json_extract(body, '$.cat_micros')) / 1000000.0 AS regulatory_fees,
    json_extract(body, '$.reason') AS reason,
    json_extract(body, '$.ambiguous') AS ambiguous
FROM outputs WHERE type = 'Fill';

CREATE VIEW trades AS
SELECT
    json_extract(body, '$.trade_id') AS trade_id,
    json_extract(body, '$.symbol') AS symbol,
    json_extract(body, '$.direction') AS direction,
    json_extract(body, '$.quantity') AS quantity,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.entry') / 1000000000, 'unixepoch')
        AS entry_ts,
    json_extract(body, '$.entry_e4') / 10000.0 AS entry_price,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.exit') / 1000000000, 'unixepoch')
        AS exit_ts,
    json_extract(body, '$.exit_e4') / 10000.0 AS exit_price,
    json_extract(body, '$.pnl_micros') / 1000000.0 AS pnl,
    json_extract(body, '$.fees_micros') / 1000000.0 AS fees,
    100.0 * json_extract(body, '$.pnl_micros')
        / (json_extract(body, '$.entry_e4') * json_extract(body, '$.quantity') * 100.0)
        AS return_pct,
    json_extract(body, '$.bars_held') AS bars_held,
    json_extract(body, '$.adverse_ppm') / 10000.0 AS mae_pct,
    json_extract(body, '$.favourable_ppm') / 10000.0 AS mfe_pct,
    json_extract(body, '$.entry_prediction') AS entry_prediction,
    json_extract(body, '$.entry_reason') AS entry_reason,
    json_extract(body, '$.exit_reason') AS exit_reason,
    0 AS open
FROM outputs WHERE type = 'TradeClosed';

CREATE VIEW orders AS
WITH filled AS (
    SELECT
        order_id, sum(quantity) AS quantity, sum(quantity * price) AS notional, max(ts_known) AS ts
    FROM fills GROUP BY order_id
), updated AS (
    SELECT
        json_extract(body, '$.order_id') AS order_id,
        json_extract(body, '$.status') AS status,
        json_extract(body, '$.reason') AS reason,
        json_extract(body, '$.quantity') AS quantity,
        json_extract(body, '$.stop_e4') AS stop_e4,
        json_extract(body, '$.limit_e4') AS limit_e4,
        max(seq * 1000000 + rowid) AS latest
    FROM (SELECT body, seq, row_number() OVER () AS rowid FROM outputs WHERE type = 'OrderUpdated')
    GROUP BY json_extract(body, '$.order_id')
)
SELECT
    json_extract(o.body, '$.order_id') AS order_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(o.body, '$.decided') / 1000000000, 'unixepoch')
        AS ts_decided,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(o.body, '$.eligible_from') / 1000000000,
        'unixepoch') AS eligible_from,
    json_extract(o.body, '$.symbol') AS symbol,
    json_extract(o.body, '$.side') AS side,
    json_extract(o.body, '$.order_type') AS type,
    coalesce(u.quantity, json_extract(o.body, '$.quantity')) AS quantity,
    coalesce(f.quantity, 0) AS filled_quantity,
    f.notional / f.quantity AS average_price,
    coalesce(u.limit_e4, json_extract(o.body, '$.limit_e4')) / 10000.0 AS limit_price,
    coalesce(u.stop_e4, json_extract(o.body, '$.stop_e4')) / 10000.0 AS stop_price,
    json_extract(o.body, '$.time_in_force') AS time_in_force,
    json_extract(o.body, '$.origin') AS origin,
    CASE
        WHEN u.status IN ('cancelled', 'expired') THEN u.status
        WHEN coalesce(f.quantity, 0) >= coalesce(u.quantity, json_extract(o.body, '$.quantity'))
            THEN 'filled'
        WHEN f.quantity > 0 THEN 'partially_filled'
        ELSE coalesce(u.status, 'working')
    END AS status,
    CASE -- a filled order needs no reason; why one still waits is not an output: the CSV says it
        WHEN u.status IN ('cancelled', 'expired') THEN u.reason
        WHEN coalesce(f.quantity, 0) >= coalesce(u.quantity, json_extract(o.body, '$.quantity'))
            THEN ''
        ELSE coalesce(u.reason, '')
    END AS reason
FROM outputs AS o
LEFT JOIN filled AS f ON f.order_id = json_extract(o.body, '$.order_id')
LEFT JOIN updated AS u ON u.order_id = json_extract(o.body, '$.order_id')
WHERE o.type = 'OrderAccepted';

CREATE VIEW positions AS
WITH splits AS ( -- the last one of each symbol says what is held after it
    SELECT
        json_extract(body, '$.action.symbol') AS symbol,
        json_extract(body, '$.quantity') AS quantity,
        max(seq) AS seq
    FROM outputs WHERE type = 'ActionApplied' AND json_extract(body, '$.action.type') = 'Split'
    GROUP BY 1
), moves AS (
    SELECT
        seq,
        json_extract(body, '$.symbol') AS symbol,
        json_extract(body, '$.quantity') * iif(json_extract(body, '$.side') = 'buy', 1, -1)
            AS quantity
    FROM outputs WHERE type = 'Fill'
)
SELECT
    m.symbol AS symbol,
    coalesce(s.quantity, 0) + sum(iif(m.seq >= coalesce(s.seq, 0), m.quantity, 0)) AS quantity
FROM moves AS m LEFT JOIN splits AS s ON s.symbol = m.symbol
GROUP BY m.symbol;

CREATE VIEW denials AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.instant') / 1000000000, 'unixepoch')
        AS ts,
    json_extract(body, '$.symbol') AS symbol,
    json_extract(body, '$.quantity') AS quantity,
    json_extract(body, '$.origin') AS origin,
    json_extract(body, '$.reason') AS reason,
    json_extract(body, '$.detail') AS detail
FROM outputs WHERE type = 'Denial';

CREATE VIEW state_changes AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(body, '$.instant') / 1000000000, 'unixepoch')
        AS ts,
    json_extract(body, '$.state') AS state,
    json_extract(body, '$.previous') AS previous,
    json_extract(body, '$.source') AS source,
    json_extract(body, '$.level') AS level,
    json_extract(body, '$.lifted') AS lifted,
    json_extract(body, '$.reason') AS reason
FROM outputs WHERE type = 'StateChanged';

CREATE VIEW commands AS
SELECT
    seq,
    strftime('%Y-%m-%dT%H:%M:%SZ', instant / 1000000000, 'unixepoch') AS ts,
    json_extract(input, '$.type') AS command,
    json_extract(input, '$.source') AS source,
    json_extract(input, '$.reason') AS reason
FROM turns WHERE kind = 'command';

CREATE VIEW notes AS
SELECT seq, ts, source, reason AS text FROM commands WHERE command = 'Note';

CREATE VIEW bars AS
SELECT
    t.seq,
    json_extract(b.value, '$.symbol') AS symbol,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(b.value, '$.start') / 1000000000, 'unixepoch')
        AS start,
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(b.value, '$.end') / 1000000000, 'unixepoch')
        AS end,
    json_extract(b.value, '$.open') AS open,
    json_extract(b.value, '$.high') AS high,
    json_extract(b.value, '$.low') AS low,
    json_extract(b.value, '$.close') AS close,
    json_extract(b.value, '$.volume') AS volume,
    json_extract(t.input, '$.outcome') AS outcome
FROM turns AS t, json_each(t.input, '$.bars') AS b
WHERE t.kind = 'slice';

CREATE VIEW predictions AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', t.instant / 1000000000, 'unixepoch') AS ts,
    json_extract(p.value, '$.symbol') AS symbol,
    json_extract(p.value, '$.value') AS value,
    json_extract(p.value, '$.failure') AS failure
FROM turns AS t, json_each(t.predictions) AS p;

CREATE VIEW equity AS
WITH moves AS ( -- what came into cash in each turn
    SELECT
        seq,
        sum(CASE type
            WHEN 'Fill' THEN
                json_extract(body, '$.quantity') * json_extract(body, '$.price_e4') * 100
                    * iif(json_extract(body, '$.side') = 'buy', -1, 1)
                - json_extract(body, '$.commission_micros') - json_extract(body, '$.sec_micros')
                - json_extract(body, '$.taf_micros') - json_extract(body, '$.cat_micros')
            WHEN 'DividendPaid' THEN json_extract(body, '$.cash_micros')
            ELSE iif(json_extract(body, '$.action.type') = 'Split',
                json_extract(body, '$.cash_micros'), 0)
        END) AS micros
    FROM outputs WHERE type IN ('Fill', 'DividendPaid', 'ActionApplied')
    GROUP BY seq
), balances AS (
    SELECT
        t.instant,
        t.equity,
        json_extract(s.opening, '$.values.portfolio.cash_micros')
            + sum(coalesce(m.micros, 0)) OVER (PARTITION BY t.segment ORDER BY t.seq) AS cash,
        max(max(coalesce(t.equity, 0)) OVER (ORDER BY t.seq),
            coalesce((SELECT json_extract(opening, '$.values.risk.starting_cash_micros')
                FROM segments WHERE segment = 1), 0)) AS peak
    FROM turns AS t
    JOIN segments AS s ON s.segment = t.segment
    LEFT JOIN moves AS m ON m.seq = t.seq
)
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', instant / 1000000000, 'unixepoch') AS ts,
    equity / 1000000.0 AS equity,
    cash / 1000000.0 AS cash,
    (equity - cash) / 1000000.0 AS position_value,
    100.0 * (equity - peak) / peak AS drawdown_pct
FROM balances WHERE equity IS NOT NULL;

CREATE VIEW gaps AS
SELECT
    symbol,
    strftime('%Y-%m-%dT%H:%M:%SZ', start / 1000000000, 'unixepoch') AS start,
    strftime('%Y-%m-%dT%H:%M:%SZ', end / 1000000000, 'unixepoch') AS end,
    -- US sessions lie inside one UTC day
    CAST(strftime('%Y%m%d', start / 1000000000, 'unixepoch') AS INTEGER) AS session,
    outcome,
    detail AS reason
FROM ledger WHERE kind = 'gap';

CREATE VIEW feed_events AS
SELECT
    seq,
    strftime('%Y-%m-%dT%H:%M:%SZ', instant / 1000000000, 'unixepoch') AS ts,
    outcome AS event,
    symbol,
    detail
FROM ledger WHERE kind = 'feed';
