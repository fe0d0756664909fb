package delivery

import "time"

// A Record is a message as an admin sees it. It holds no code, no body and no
// full address.
type Record struct {
	ID        string    `json:"id"` // the incident, in errors
	Connector string    `json:"connector"`
	Type      string    `json:"type"`
	Mode      Mode      `json:"mode"`
	State     State     `json:"state"`
	Code      Code      `json:"code,omitempty"`
	Recipient string    `json:"recipient"` // masked
	Attempts  int       `json:"attempts"`  // how often it was taken up
	Created   time.Time `json:"createdAt"`
	Updated   time.Time `json:"updatedAt"`
	Expires   time.Time `json:"expiresAt"`
	Due       time.Time `json:"dueAt,omitzero"`   // of one that is queued
	Retryable bool      `json:"retryable"`        // an admin may have it sent again
	Report    *Report   `json:"report,omitempty"` // each step; left out in lists

	Body Hash `json:"-"`
}

// A Filter chooses records. Zero fields choose all.
type Filter struct {
	States    []State
	Type      string
	Connector string
	Address   *Hash
	Since     time.Time // created then or later
	Until     time.Time // created before
	Before    string    // the last id of the page before: records are listed from the newest on
	Limit     int
}
