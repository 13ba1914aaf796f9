package firstboot

import (
	"context"
	"errors"
	"fmt"

	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// Prepared is a plan with all that led to it.
type Prepared struct {
	Plan plan.Plan
	// Found are all findings, of the text and of the machine.
	Found diag.List
	// Files are the texts of the findings, for excerpts.
	Files []*source.File
	Facts plan.Facts
}

// ErrInterrupted is wrapped by Plan if an apply was cut short and its journal is still there.
var ErrInterrupted = errors.New("an apply was cut short; the next apply or boot will undo it")

// Plan does the same up to the plan. It takes no lock, recovers nothing and changes nothing. If Found has
// errors there is no plan.
func Plan(ctx context.Context, env Env) (Prepared, error) {
	cut, err := commit.Interrupted(env.Root)
	if err != nil {
		return Prepared{}, err
	}
	if cut {
		return Prepared{}, fmt.Errorf("plan: %w", ErrInterrupted)
	}
	r, err := look(ctx, env)
	if err != nil {
		return Prepared{}, err
	}
	out := Prepared{Found: r.found, Files: r.files}
	if r.found.HasErrors() || r.ignition {
		return out, nil
	}
	if err := r.importKeys(ctx); err != nil {
		return out, err
	}
	applied, err := r.applied()
	if err != nil {
		return out, err
	}
	p, f, found, err := r.compute(ctx, r.config, applied)
	if err != nil {
		return out, err
	}
	if err := errors.Join(r.dropEnded(&p), r.dropTold(&p)); err != nil {
		return out, err
	}
	r.find(found)
	out.Plan, out.Facts, out.Found = p, f, r.found
	return out, nil
}

// Rendered is the merged configuration.
type Rendered struct {
	schema.Rendered
	// Found are the findings of the text, and Files the texts they are of, for excerpts.
	Found diag.List
	Files []*source.File
}

// Render does the same up to the check, and merges what it has. It changes nothing.
func Render(ctx context.Context, env Env) (Rendered, error) {
	r, err := look(ctx, env)
	if err != nil {
		return Rendered{}, err
	}
	out := Rendered{Found: r.found, Files: r.files}
	out.Rendered, _ = schema.Render(r.input, r.data.Meta.Values()) // it finds what the check has found
	return out, nil
}

// look fetches the configuration, and makes it as whole as it can be without running or changing anything.
func look(ctx context.Context, env Env) (*run, error) {
	env.SetClock, env.Online = nil, nil // nothing changes
	r := begin(env)
	for _, stage := range []func() error{
		r.configure,
		func() error { return r.fetch(ctx) },
		r.loadIncluded,
		func() error { return r.decode(ctx) },
		func() error { return r.lookAhead(ctx) },
	} {
		if err := stage(); err != nil {
			return nil, err
		}
	}
	return r, nil
}
