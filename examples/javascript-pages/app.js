// Functions in JavaScript that hype runs. componentize-js compiles them, with an engine, to a component.

export function parse(url, html) {
  return page(200, url, html);
}

export async function read(url) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw `${url}: ${error.message}`;
  }
  return page(response.status, url, await response.text());
}

function page(status, url, html) {
  const [, title] = /<title>([^<]*)/i.exec(html) ?? [];
  const links = [...html.matchAll(/<a\s[^>]*href="([^"]*)"/gi)];
  return { status, title, links: links.flatMap(([, href]) => absolute(href, url)) };
}

// Returns the URL of a link; nothing if it is malformed. The engine has no URL.canParse.
function absolute(href, url) {
  try {
    return [new URL(href, url).href];
  } catch {
    return [];
  }
}
