package tracing

import "context"

// Flush sends what has not been sent yet.
func (t *Tracing) Flush(ctx context.Context) error { return t.provider.ForceFlush(ctx) }
