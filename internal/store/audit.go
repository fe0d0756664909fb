package store

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"dmconnector/internal/registry"
)

func change(by, action, subject string) registry.Change {
	return registry.Change{Actor: by, Action: action, Subject: subject}
}

// noDetail stands for a change without details.
const noDetail = "null"

// audit adds an entry to the audit trail.
func audit(t *tx, c registry.Change, now time.Time) error {
	detail := cmp.Or(string(c.Detail), noDetail)
	_, err := t.exec(`INSERT INTO audit (id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)`,
		uuid.Must(uuid.NewV7()).String(), micros(now), c.Actor, c.Action, c.Subject, detail)
	return err
}

// configurationChanged increments the revision, and tells every process.
func configurationChanged(t *tx) error {
	t.signal(topicConfiguration)
	_, err := t.exec(`UPDATE revision SET number = number + 1 WHERE name = 'configuration'`)
	return err
}
