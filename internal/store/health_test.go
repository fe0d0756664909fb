package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"dmconnector/internal/postgrestest"
)

// rejectMessages makes the state reject new messages, and nothing else, until accept is
// called.
func rejectMessages(t *testing.T, s *Store) (accept func()) {
	t.Helper()
	if s.kind == Postgres {
		s.run(t, `CREATE OR REPLACE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$`)
		s.run(t, `CREATE TRIGGER reject BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION reject()`)
		return func() { s.run(t, `DROP TRIGGER reject ON message`) }
	}
	s.run(t, `CREATE TRIGGER reject BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'full'); END`)
	return func() { s.run(t, `DROP TRIGGER reject`) }
}

func TestFailedAcceptanceCountsUntilAProbeSucceeds(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		accept := rejectMessages(t, s)
		if _, err := s.Accept(t.Context(), s.testEntry(order{})); err == nil {
			t.Fatal("it was accepted")
		}
		if err := s.heartbeat(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err == nil {
			t.Error("ready after another write")
		}
		s.health.probed = time.Time{}
		if err := s.Ready(t.Context()); err == nil {
			t.Error("ready after a probe that failed")
		}
		if _, err := s.Backlog(t.Context()); err == nil {
			t.Error("the metric says that the state is up")
		}
		if s.health.steady() == 0 {
			t.Error("other writing does not count as working")
		}
		accept()
		s.health.probed = time.Time{}
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		mustAccept(t, s, order{})
	})
}

// On PostgreSQL, which others may lock or fill, nobody needs to send to find out.
func TestEachHeartbeatProbesPostgres(t *testing.T) {
	s := openTest(t, Options{State: postgrestest.Database(t), Ring: testRing(t)})
	accept := rejectMessages(t, s)
	s.keepLeases(t.Context())
	if err := s.Ready(t.Context()); err == nil {
		t.Error("ready though it rejects messages")
	}
	accept()
	s.keepLeases(t.Context())
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestProbeLeavesNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for range 3 {
			if err := s.probe(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, table := range []string{"message", "rate_limit"} {
			n, err := transact(t.Context(), s.engine.read, func(x *tx) (int64, error) { return value[int64](x, `SELECT count(*) FROM `+table) })
			if err != nil || n != 0 {
				t.Errorf("%d rows in %s, %v", n, table, err)
			}
		}
		select {
		case <-s.Wake():
			t.Error("it wakes the queue")
		default:
		}
	})
}

// An engineThatFails has a send fail during each write.
type engineThatFails struct {
	engine
	health *health
}

func (e engineThatFails) write(ctx context.Context, step func(*tx) error) error {
	e.health.record(errors.New("the disk is full"))
	return e.engine.write(ctx, step)
}

func TestProbeDoesNotHideALaterFailure(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.engine = engineThatFails{s.engine, &s.health}
		if err := s.probe(t.Context()); err == nil {
			t.Error("a send failed during the probe")
		}
	})
}
