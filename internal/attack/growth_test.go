//go:build linux

package attack_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

func growthAttacks() []scenario {
	slowQueue := map[string]any{"recipient": "off", "connector": "1/1h"}
	few := map[string]any{"recipient": "1/1h", "connector": "off"}
	return []scenario{
		{"Queued messages of 60 KB, without a code", setup{connectors: connectorOf(connectorWith(slowQueue, "<p>{{code}}</p>"))}, floodQueue},
		{"Rejections with a new `Idempotency-Key` each", setup{connectors: connectorOf(connectorWith(few, "<p>{{code}}</p>"))}, floodRejections},
		{"Sends without a valid token", setup{}, floodUnauthorized},
	}
}

// floodQueue queues messages until the service refuses more.
func floodQueue(t *testing.T, g *target) (string, string) {
	const most = 20_000 // far above 256 MiB
	var payload strings.Builder
	for i := range 15 {
		fmt.Fprintf(&payload, `"value%d":%q,`, i, strings.Repeat("v", 4000))
	}
	var queued, refused atomic.Int64
	var others tally
	client := g.client(true)
	each(most, 16, func(i int) {
		if refused.Load() >= 100 {
			return
		}
		body := fmt.Sprintf(`{"to":"victim%d@example.com","type":"Generic","payload":{%s"n":%d}}`, i, payload.String(), i)
		a, err := g.call(client, http.MethodPost, "/api/connectors/attacked/send", body,
			"Authorization", "Bearer "+sendToken, "Content-Type", "application/json", "Prefer", "respond-async")
		switch {
		case err != nil:
			others.add(err.Error())
		case a.status == http.StatusAccepted:
			queued.Add(1)
		case a.status == http.StatusServiceUnavailable && a.header.Get("Dmconnector-Code") == "overloaded":
			refused.Add(1)
		case a.status == http.StatusRequestTimeout: // this machine was too busy
		default:
			others.add(fmt.Sprint(a.status))
		}
	})
	if others.total() > 0 {
		t.Errorf("other answers: %s", &others)
	}
	if refused.Load() == 0 {
		t.Errorf("%d messages were queued, and none refused", queued.Load())
	}
	size := folderSize(g.data)
	if size > 600<<20 {
		t.Errorf("the state has %s", mebibytes(size))
	}
	return "until it is full, 16 at once", fmt.Sprintf("%s were queued, then 503 `overloaded`", thousands(int(queued.Load())))
}

// floodRejections sends what is rejected, for several reasons.
func floodRejections(t *testing.T, g *target) (string, string) {
	const (
		seconds   = 10
		perSecond = 320 // recorded at most, of those rejected before they are accepted
	)
	var sent, accepted atomic.Int64
	var outcomes tally
	client := g.client(true)
	end := time.Now().Add(seconds * time.Second)
	bodies := []string{
		`{"to":"victim@example.com","type":"SignIn","payload":{"code":"%d"}}`, // over the limit, but for the first
		`{"to":"no address %d","type":"SignIn","payload":{"code":"1"}}`,
		`{"to":"victim%d@example.com","type":"SignIn","payload":{"code":"` + strings.Repeat("9", 5000) + `"}}`,
		`{"to":"victim%d@example.com","payload":"none"}`,
	}
	each(1<<20, 16, func(i int) {
		if time.Now().After(end) {
			return
		}
		a, err := g.call(client, http.MethodPost, "/api/connectors/attacked/send", fmt.Sprintf(bodies[i%len(bodies)], i),
			"Authorization", "Bearer "+sendToken, "Content-Type", "application/json", "Idempotency-Key", fmt.Sprintf("key-%d", i))
		if err != nil {
			outcomes.add(err.Error())
			return
		}
		sent.Add(1)
		outcomes.add(fmt.Sprint(a.status))
		if a.status == http.StatusOK || a.header.Get("Dmconnector-Code") == "content_rejected" {
			accepted.Add(1)
		}
	})
	outcomes.only(t, "answers", "200", "400", "408", "422", "429", "503")
	g.senders.judge(t)
	rows := g.countMessages(t, "attacked")
	if most := int(accepted.Load()) + perSecond*(seconds+2); rows > most {
		t.Errorf("%d messages were recorded for %d requests, want at most %d", rows, sent.Load(), most)
	}
	return fmt.Sprintf("%s requests in %d s, 16 at once", thousands(int(sent.Load())), seconds), thousands(rows) + " were recorded, of at most 250,000"
}

// countMessages counts the rows of a connector's messages.
func (g *target) countMessages(t *testing.T, connector string) (rows int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(g.data, "state.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM message WHERE connector = ?", connector).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// floodUnauthorized sends as fast as it can, over kept connections.
func floodUnauthorized(t *testing.T, g *target) (string, string) {
	var sent atomic.Int64
	var outcomes tally
	client := g.client(true)
	end := time.Now().Add(10 * time.Second)
	each(1<<20, 16, func(i int) {
		if time.Now().After(end) {
			return
		}
		token := []string{"", "Bearer wrong", "Bearer " + adminToken}[i%3]
		path := []string{"/api/send", "/api/connectors/x/send", "/api/connectors", "/nowhere"}[i/3%4]
		if path == "/api/connectors" && i%3 == 2 {
			path = "/api/send"
		}
		a, err := g.call(client, http.MethodPost, path, `{}`, "Authorization", token, "Content-Type", "application/json")
		if err != nil {
			outcomes.add(err.Error())
			return
		}
		sent.Add(1)
		outcomes.add(fmt.Sprint(a.status))
	})
	outcomes.only(t, "answers", "401", "403", "404")
	if lines := g.log.lines.Load(); lines > 2000 {
		t.Errorf("%d lines were logged for %d requests", lines, sent.Load())
	}
	return thousands(int(sent.Load())) + " requests in 10 s, 16 at once", fmt.Sprintf("all 401, 403 or 404; %s lines were logged", thousands(int(g.log.lines.Load())))
}
