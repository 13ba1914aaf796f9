package catalog

import (
	"context"

	"cloudconfig/datasources"
)

// Ask is Fetch of sources that are there already.
func Ask(ctx context.Context, env datasources.Env, all []datasources.Source) (datasources.Data, []datasources.Decision, error) {
	var sources []named
	for _, s := range all {
		sources = append(sources, named{label: s.Name(), source: s})
	}
	return ask(ctx, env, sources)
}
