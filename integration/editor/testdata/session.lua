-- A session of an editor with the language server: open a document, wait for findings, ask what a key means and
-- what can follow, take the cure of a finding, and say what came of it, as JSON.
local program, out = vim.env.PROVISIONER, vim.env.SESSION_OUT
local said = {}
local id = vim.lsp.start_client({ name = "provisioner", cmd = { program, "lsp" } })
vim.lsp.buf_attach_client(0, id)

local function findings(n)
  vim.wait(10000, function() return #vim.diagnostic.get(0) == n end, 20)
  local list = {}
  for _, d in ipairs(vim.diagnostic.get(0)) do
    table.insert(list, string.format("%d:%d-%d:%d %s %s", d.lnum + 1, d.col, d.end_lnum + 1, d.end_col, d.code or d.user_data.lsp.code, d.message))
  end
  return list
end

local function ask(method, line, character)
  local p = { textDocument = vim.lsp.util.make_text_document_params(), position = { line = line, character = character } }
  if method == "textDocument/codeAction" then
    p.range = { start = p.position, ["end"] = p.position }
    p.context = { diagnostics = {} }
  end
  local answer = vim.lsp.buf_request_sync(0, method, p, 10000)
  return answer and answer[id] and answer[id].result
end

said.before = findings(2)
said.hover = ask("textDocument/hover", 3, 4)
said.completion = {}
for _, item in ipairs(ask("textDocument/completion", 4, 2)) do
  table.insert(said.completion, item.label)
end
local action = ask("textDocument/codeAction", 3, 17)[1]
vim.lsp.util.apply_workspace_edit(action.edit, "utf-16")
said.after = findings(1)
said.text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
vim.lsp.stop_client(id)
vim.wait(5000, function() return vim.lsp.client_is_stopped(id) end, 20)
said.stopped = vim.lsp.client_is_stopped(id)

local f = io.open(out, "w")
f:write(vim.json.encode(said))
f:close()
vim.cmd("qa!")
