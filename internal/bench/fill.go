//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	logTime   = 29 * 24 * time.Hour // less than the service keeps
	addresses = 200_000
	// Of so many rows one is dead, and one is to the address of the sample.
	deadOne, sampleOne = 50_000, 20_000
	someIDs            = 1000
)

// A sample is a row of the table of messages, which the service has written
// itself. All others are copies of it with other values in some columns.
type sample struct {
	columns []string
	values  []any
	begin   time.Time
	rows    int
	random  *rand.ChaCha8
	ids     []string // of some rows
}

func newSample(columns []string, values []any, rows int, now time.Time) (*sample, error) {
	for _, name := range []string{"id", "connector", "type", "state", "code", "address", "body", "created_at", "updated_at", "due_at", "expires_at"} {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("the table of messages has no column %s", name)
		}
	}
	return &sample{columns: columns, values: values, begin: now.Add(-logTime), rows: rows, random: rand.NewChaCha8([32]byte{})}, nil
}

// row makes the nth row of the log. The rows are spread evenly over the log's
// time.
func (s *sample) row(n int) []any {
	random := rand.New(s.random)
	at := s.begin.Add(logTime / time.Duration(s.rows) * time.Duration(n))
	id := idAt(at, s.random)
	if n%max(1, s.rows/someIDs) == 0 {
		s.ids = append(s.ids, id)
	}
	connector, usageType := pick(random, connectorShares), pick(random, typeShares)
	if connector == "third" {
		usageType = "Generic" // it has nothing else, so that both are frequent but not together
	}
	state, code := stateOf(n, random)
	changed := map[string]any{
		"id": id, "connector": connector, "type": usageType, "state": state, "code": code,
		"body": hashOf(random.Uint64()), "created_at": at.UnixMicro(), "updated_at": at.UnixMicro(),
		"due_at": at.UnixMicro(), "expires_at": at.Add(10 * time.Minute).UnixMicro(),
	}
	if n%sampleOne != 1 {
		changed["address"] = hashOf(random.Uint64N(addresses))
	}
	row := slices.Clone(s.values)
	for i, name := range s.columns {
		if value, ok := changed[name]; ok {
			row[i] = value
		}
	}
	return row
}

// A share is so many in a thousand.
type share struct {
	name     string
	thousand int
}

var (
	connectorShares = []share{{"default", 800}, {"second", 100}, {"third", 100}}
	typeShares      = []share{{"SignIn", 600}, {"Register", 250}, {"ForgotPassword", 100}, {"Generic", 50}}
	stateShares     = []share{{"sent", 978}, {"failed", 20}, {"unknown", 1}, {"expired", 1}}
)

func pick(random *rand.Rand, shares []share) string {
	n := random.IntN(1000)
	for _, s := range shares {
		if n -= s.thousand; n < 0 {
			return s.name
		}
	}
	return ""
}

// stateOf returns the state of the nth row, and the code of the error that goes
// with it.
func stateOf(n int, random *rand.Rand) (state, code string) {
	state = pick(random, stateShares)
	if n%deadOne == 7 {
		state = "dead"
	}
	return state, map[string]string{
		"failed": "recipient_rejected", "dead": "provider_rejected", "unknown": "outcome_unknown",
	}[state]
}

func hashOf(n uint64) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	return sum[:]
}

// idAt is a UUID of version 7 of that time.
func idAt(at time.Time, random *rand.ChaCha8) string {
	var id uuid.UUID
	_, _ = random.Read(id[:]) // it never fails
	milliseconds := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
	copy(id[:6], milliseconds[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// fill copies the one message of a state, whose service does not run, and returns
// the ids of some copies, from the oldest on.
func fill(ctx context.Context, kind storage, state string, rows int) ([]string, error) {
	if kind == postgres {
		return fillPostgres(ctx, state, rows)
	}
	return fillSQLite(ctx, strings.TrimPrefix(state, "sqlite:"), rows)
}

const selectSample = `SELECT * FROM message LIMIT 1`

func fillSQLite(ctx context.Context, path string, rows int) (ids []string, err error) {
	// What is filled in need not survive a power cut.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-400000)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	s, err := readSample(ctx, db, rows)
	if err != nil {
		return nil, err
	}
	insert := "INSERT INTO message (" + strings.Join(s.columns, ", ") + ") VALUES (" + strings.Repeat("?, ", len(s.columns)-1) + "?)"
	for first := 0; first < rows; first += chunk {
		if err := insertRows(ctx, db, insert, s, first, min(first+chunk, rows)); err != nil {
			return nil, err
		}
	}
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return s.ids, err
}

// chunk is how many rows are one transaction.
const chunk = 5000

func readSample(ctx context.Context, db *sql.DB, rows int) (*sample, error) {
	found, err := db.QueryContext(ctx, selectSample)
	if err != nil {
		return nil, err
	}
	defer found.Close() //nolint:errcheck // found.Err says it
	columns, err := found.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if !found.Next() {
		return nil, errors.Join(errors.New("the log has no message to copy"), found.Err())
	}
	if err := found.Scan(targets...); err != nil {
		return nil, err
	}
	return newSample(columns, values, rows, time.Now())
}

func insertRows(ctx context.Context, db *sql.DB, insert string, s *sample, first, end int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it has no effect after the commit
	// The driver would start a goroutine a row for a context that can end.
	ctx = context.WithoutCancel(ctx)
	statement, err := tx.PrepareContext(ctx, insert)
	if err != nil {
		return err
	}
	for n := first; n < end; n++ {
		if _, err := statement.ExecContext(ctx, s.row(n)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func fillPostgres(ctx context.Context, address string, rows int) (ids []string, err error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	s, err := readPostgresSample(ctx, conn, rows)
	if err != nil {
		return nil, err
	}
	n := 0
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"message"}, s.columns, pgx.CopyFromFunc(func() ([]any, error) {
		if n == rows {
			return nil, nil
		}
		n++
		return s.row(n - 1), nil
	}))
	if err != nil {
		return nil, err
	}
	// In 29 days the server would have done it by itself.
	_, err = conn.Exec(ctx, "VACUUM ANALYZE message")
	return s.ids, err
}

func readPostgresSample(ctx context.Context, conn *pgx.Conn, rows int) (*sample, error) {
	found, err := conn.Query(ctx, selectSample)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	if !found.Next() {
		return nil, errors.Join(errors.New("the log has no message to copy"), found.Err())
	}
	values, err := found.Values()
	if err != nil {
		return nil, err
	}
	var columns []string
	for _, field := range found.FieldDescriptions() {
		columns = append(columns, field.Name)
	}
	return newSample(columns, values, rows, time.Now())
}
