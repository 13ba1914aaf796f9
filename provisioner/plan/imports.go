package plan

import "cloudconfig/schema"

// gitHubKeys is where GitHub tells the public keys of a user: GET /users/{username}/keys of its REST API,
// version 2022-11-28.
func gitHubKeys(name string) string { return "https://api.github.com/users/" + name + "/keys" }

// Imports are the URLs from which public keys are to be fetched for the users of a configuration, each once.
// What they answer goes into Input.Imported.
func Imports(cfg *schema.Config) []string {
	var urls []string
	seen := map[string]bool{}
	add := func(url string) {
		if !seen[url] {
			seen[url] = true
			urls = append(urls, url)
		}
	}
	for i := range cfg.Users {
		u := &cfg.Users[i]
		for _, name := range u.ImportGitHub {
			add(gitHubKeys(name.V))
		}
		if u.ImportURL.Set {
			add(u.ImportURL.V)
		}
	}
	return urls
}
