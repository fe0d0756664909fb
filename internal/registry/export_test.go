package registry

import "context"

// Look reads the files as the poll does. It reports whether one is away that may
// come back.
func (r *Registry) Look(ctx context.Context) bool { return r.readFiles(ctx, false) }
