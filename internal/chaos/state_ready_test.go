//go:build unix

package chaos_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dmconnector/aliyundm/sandbox"
	"dmconnector/internal/postgrestest"
)

// locksMessages holds a lock on the table of messages, as a careless migration does.
func locksMessages(t *testing.T) stateTally {
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	return sendsFail(t, dsn, func() (end func()) {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, conn, "BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE")
		return func() { conn.Close(t.Context()) }
	})
}

// fillsDiskOfPostgres fills the disk on which the table of messages is.
func fillsDiskOfPostgres(t *testing.T) stateTally {
	disk := mountDisk(t, 8*mebi)
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	return sendsFail(t, dsn, func() (end func()) {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		giveToServer(t, conn, disk)
		execute(t, conn, "CREATE TABLESPACE small LOCATION '"+disk+"'")
		execute(t, conn, "ALTER TABLE message SET TABLESPACE small")
		return fill(t, disk)
	}, sent, accepted)
}

// giveToServer makes the owner of the server's data the owner of a test's folder.
func giveToServer(t *testing.T, conn *pgx.Conn, folder string) {
	t.Helper()
	var data string
	if err := conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Chmod(filepath.Dir(folder), 0o711), os.Chown(folder, int(owner.Uid), int(owner.Gid))); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, conn *pgx.Conn, statements string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// sendsFail makes the state reject new messages, and checks that the service is not ready
// as long as it does. fit are the answers of messages that still find room.
func sendsFail(t *testing.T, dsn string, begin func() (end func()), fit ...string) stateTally {
	t.Helper()
	u := newUpstream(t, 0)
	r := newReplica(t, []string{"--connectors", writeConnector(t, connectorTo(u.url, limitsOff))}, onPostgres(dsn)...)
	ev := evidence{upstream: u, address: r.address}
	before := runOnce(20, everyOtherQueued, r.address)
	allAnswered(t, "before", before, sent, accepted)
	drained(t, r.address)

	failing := span{begun: time.Now()}
	end := begin()
	filling := untilUnavailable(t, r.address)
	within(t, clientTimeout, "the service is not ready", func() bool {
		outcome, _ := get(t, r.address, "/readyz")
		return outcome == "503"
	})
	load := startLoad(10, everyOtherQueuedOnce, r.address)
	ready := 0
	for begun := time.Now(); time.Since(begun) < 4*time.Second; pause(200 * ms) {
		if outcome, _ := get(t, r.address, "/readyz"); outcome == "200" {
			ready++
		}
	}
	during := load.end()
	allAnswered(t, "while the state rejects messages", during, append(fit, unavailable)...)
	if ready > 0 && len(fit) == 0 { // where messages may still fit, a probe may
		t.Errorf("ready %d times while sends failed", ready)
	}
	within(t, clientTimeout, "the metric says so", func() bool {
		_, metrics := get(t, r.address, "/metrics")
		return strings.Contains(metrics, "dmconnector_state_up 0")
	})
	end()
	failing.ended = time.Now()
	ev.outages = []span{failing}
	after := recovers(t, r.address)
	again := sendAgain(during, r.address)
	ev.messages = slices.Concat(before, filling, after, again)
	ev.texts = r.logs()
	result := ev.audit(t)
	result.requireOnce(t, u, again)
	r.stop(t)
	return result
}

// losesPackets cuts one of two replicas off from PostgreSQL, but not from Aliyun.
func losesPackets(t *testing.T) stateTally { return cutOff(t, "stall") }

// losesConnections does the same with connections that are reset.
func losesConnections(t *testing.T) stateTally { return cutOff(t, "reset") }

// claimTime is how long a claimed message may be sent without another question to the
// state.
const claimTime = 500 * ms

// cutOff cuts one of two replicas off from PostgreSQL while it sends queued messages, for
// longer than its leases last. Only mails in flight at that moment may be sent twice.
func cutOff(t *testing.T, how string) stateTally {
	t.Helper()
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way := newProxy(t, listener, server.Host())
	u := newUpstream(t, 0)
	if err := u.sandbox.SetFaults(sandbox.Fault{Kind: "delay", Duration: "1500ms"}); err != nil {
		t.Fatal(err)
	}
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	lonely := newReplica(t, []string{"--connectors", connectors}, onPostgres(strings.Replace(dsn, server.Host(), listener.Addr().String(), 1))...)
	other := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	ev := evidence{upstream: u, address: other.address}
	ev.messages = runOnce(400, func(int) *message { return newMessage(true) }, lonely.address, other.address)
	allAnswered(t, "before", ev.messages, accepted)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	within(t, clientTimeout, "both are sending", func() bool {
		rows, _ := conn.Query(t.Context(), "SELECT count(*) FROM message WHERE state = 'sending' GROUP BY owner")
		sending, err := pgx.CollectRows(rows, pgx.RowTo[int])
		return err == nil && len(sending) == 2 && min(sending[0], sending[1]) > 10
	})
	cut := span{begun: time.Now()}
	way.set(toxic{connected: how, then: how}, toxic{then: how})
	within(t, clientTimeout, "the replica is not ready", func() bool {
		outcome, _ := get(t, lonely.address, "/readyz")
		return outcome == "503"
	})
	drained(t, other.address)
	way.set(toxic{}, toxic{})
	cut.ended = time.Now()
	ev.kills, ev.outages = []span{{cut.begun, cut.begun.Add(claimTime)}}, []span{cut}
	ev.messages = append(ev.messages, recovers(t, lonely.address)...)
	ev.texts = append(lonely.logs(), other.logs()...)
	result := ev.audit(t)
	result.kills = 0
	lonely.stop(t)
	other.stop(t)
	return result
}
