//go:build unix

package chaos_test

import (
	"encoding/base64"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dmconnector/internal/postgrestest"
)

// A replica is a service that restarts on the same socket. Callers that connect in
// between wait.
type replica struct {
	launch
	address string
	service *service
	past    []*service
}

// newReplica starts a service that inherits its socket at each start.
func newReplica(t *testing.T, args []string, env ...string) *replica {
	t.Helper()
	return newReplicaOf(t, program(), args, env...)
}

func newReplicaOf(t *testing.T, program string, args []string, env ...string) *replica {
	t.Helper()
	return newReplicaAs(t, launch{program: program, args: args, env: env})
}

func newReplicaAs(t *testing.T, l launch) *replica {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	l.socket = socket
	r := &replica{launch: l, address: listener.Addr().String()}
	r.service = start(t, r.launch)
	return r
}

// kill ends the service like kill -9, and returns when.
func (r *replica) kill() span {
	dying := span{begun: time.Now()}
	r.service.kill()
	dying.ended = time.Now()
	return dying
}

// restart starts the service again.
func (r *replica) restart(t *testing.T) {
	t.Helper()
	r.past = append(r.past, r.service)
	r.service = start(t, r.launch)
}

// logs returns the output of all its processes.
func (r *replica) logs() []string {
	list := []string{r.service.log.String()}
	for _, s := range r.past {
		list = append(list, s.log.String())
	}
	return list
}

// stop stops the running process, and checks how it ended.
func (r *replica) stop(t *testing.T) {
	t.Helper()
	r.service.terminate(t)
	r.service.stopped(t.Context(), t)
}

// secretKey is the DMCONNECTOR_SECRET_KEY of all replicas.
var secretKey = base64.StdEncoding.EncodeToString([]byte(mark + "-the-key-of-all-secrets-32"))

// onPostgres is the environment of a service on PostgreSQL.
func onPostgres(dsn string) []string {
	return []string{"DMCONNECTOR_STATE=" + dsn, "DMCONNECTOR_SECRET_KEY=" + secretKey}
}

// kills is the number of kills in a scenario.
func kills() int {
	switch {
	case *long:
		return 60
	case raceEnabled():
		return 3
	}
	return 5
}

// messageRate is the number of messages per second.
func messageRate() int {
	if raceEnabled() {
		return 25
	}
	return 80
}

// killsOnSQLite kills the process again and again.
func killsOnSQLite(t *testing.T) stateTally {
	u := newUpstream(t, 0.1)
	data := t.TempDir()
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors, "--data", data})
	load := startLoad(messageRate(), everyOtherQueued, r.address)
	ev := evidence{upstream: u, address: r.address}
	for range kills() {
		pause(200*ms + rand.N(800*ms))
		ev.kills = append(ev.kills, r.kill())
		r.restart(t)
	}
	ev.messages = load.end()
	ev.texts = r.logs()
	result := ev.audit(t)
	r.stop(t)
	searchFolder(t, data)
	return result
}

// searchFolder checks that a folder's files contain no secret.
func searchFolder(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if at := findMark(string(text)); at >= 0 {
			t.Errorf("leaked in %s: %q", entry.Name(), excerpt(string(text), at))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// killsOnPostgres kills one of two replicas at a time, and sometimes the database.
func killsOnPostgres(t *testing.T) stateTally {
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	u := newUpstream(t, 0.1)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	replicas := make([]*replica, 2)
	for i := range replicas {
		replicas[i] = newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	}
	load := startLoad(messageRate(), everyOtherQueued, replicas[0].address, replicas[1].address)
	ev := evidence{upstream: u, address: replicas[0].address}
	for n := range kills() {
		pause(200*ms + rand.N(800*ms))
		if n%5 == 2 {
			ev.outages = append(ev.outages, killDatabase(t, server))
		}
		r := replicas[rand.N(len(replicas))]
		ev.kills = append(ev.kills, r.kill())
		r.restart(t)
	}
	ev.messages = load.end()
	for _, r := range replicas {
		ev.texts = append(ev.texts, r.logs()...)
	}
	result := ev.audit(t)
	for _, r := range replicas {
		r.stop(t)
	}
	searchDatabase(t, dsn)
	return result
}

// killDatabase kills the database server and starts it again.
func killDatabase(t *testing.T, server *postgrestest.Server) span {
	t.Helper()
	outage := span{begun: time.Now()}
	server.Kill(t)
	pause(rand.N(500 * ms))
	server.Start(t)
	outage.ended = time.Now()
	return outage
}

// searchDatabase checks that no stored message contains a secret.
func searchDatabase(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, _ := conn.Query(t.Context(), "SELECT message::text FROM message")
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) == 0 {
		t.Error("there is no message in the database")
	}
	for _, text := range texts {
		if at := findMark(text); at >= 0 {
			t.Errorf("leaked in the database: %s", excerpt(text, at))
		}
	}
}
