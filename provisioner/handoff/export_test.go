package handoff

import "context"

// Start hands off and waits until everything has ended or run out of time.
func Start(ctx context.Context, m Manager, r Request, o Options) Result {
	return Enqueue(ctx, m, r, o).Wait(ctx)
}
