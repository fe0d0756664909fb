//go:build unix

package chaos_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dmconnector/internal/postgrestest"
)

// failsOverReadOnly makes the primary read-only and promotes its standby, while messages
// arrive. What the primary acknowledges, the standby has.
func failsOverReadOnly(t *testing.T) stateTally {
	return failover(t, func(old *postgrestest.Server, promote func(), replicas ...*replica) *load {
		for _, setting := range []string{"synchronous_commit = remote_apply", "synchronous_standby_names = '*'"} {
			old.Run(t, "ALTER SYSTEM SET "+setting)
		}
		old.Run(t, "SELECT pg_reload_conf()")
		load := startLoad(2*messageRate(), everyOtherQueued, addressesOf(replicas)...)
		pause(time.Second)
		old.Run(t, "ALTER SYSTEM SET default_transaction_read_only = on")
		old.Run(t, "SELECT pg_reload_conf()")
		promote()
		return load
	})
}

// failsOverWritable promotes a standby while the old primary goes on as if nothing had
// happened. What it still accepts until that is noticed nobody can keep.
func failsOverWritable(t *testing.T) stateTally {
	return failover(t, func(_ *postgrestest.Server, promote func(), replicas ...*replica) *load {
		promote()
		for _, r := range replicas {
			within(t, recoveryTime, "the failover is noticed", func() bool {
				return strings.Contains(r.service.log.String(), "a standby was promoted")
			})
		}
		return startLoad(2*messageRate(), everyOtherQueuedOnce, addressesOf(replicas)...)
	})
}

func addressesOf(replicas []*replica) (list []string) {
	for _, r := range replicas {
		list = append(list, r.address)
	}
	return list
}

// caughtUp waits until the standby has replayed everything.
const caughtUp = `
DO $$ BEGIN
	FOR i IN 1..1000 LOOP
		IF (SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication) THEN RETURN; END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RAISE 'the standby does not catch up';
END $$`

// failover has a scenario replace the primary: then new connections lead to the new one,
// and those that are open stay with the old one.
func failover(t *testing.T, scenario func(old *postgrestest.Server, promote func(), replicas ...*replica) *load) stateTally {
	t.Helper()
	old := postgrestest.Start(t)
	dsn := old.Database(t)
	standby := old.Standby(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := newProxy(t, listener, old.Host())
	dsn = strings.Replace(dsn, old.Host(), listener.Addr().String(), 1)
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	first := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	second := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	ev := evidence{upstream: u, address: first.address}
	before := runOnce(40, everyOtherQueued, first.address, second.address)
	allAnswered(t, "before", before, sent, accepted)
	drained(t, first.address)

	load := scenario(old, func() {
		old.Run(t, caughtUp)
		standby.Run(t, "SELECT pg_promote()")
		address.redirect(standby.Host())
	}, first, second)
	pause(2 * time.Second)
	after := load.end()
	allAnswered(t, "during and after the failover", after, sent, accepted)
	ev.messages = slices.Concat(before, after)
	ev.texts = append(first.logs(), second.logs()...)
	result := ev.audit(t)
	first.stop(t)
	second.stop(t)
	return result
}
