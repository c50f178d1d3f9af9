// Pictures of messages: putting a file where the server keeps it, and showing one that is there.

const MISSING = "This picture is not here.";

const call = async (connection, method, body) => (await connection.request("call", { method, body })).body;

// The page fetches from where it came from itself, by whatever name the server tells others to reach it.
const here = (url) => {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
};

// Uploads a file of this person and answers with the body of an image message.
export async function upload(connection, file) {
  const grant = await call(connection, "media.upload_grant", { type: "image", size: file.size });
  const response = await fetch(here(grant.url), { method: "PUT", body: file });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error?.message ?? `status ${response.status}`);
  const { media_id, media_crc32, width, height, format, fsize } = answer;
  return { media_id, media_crc32, width, height, format, fsize };
}

// One element for each place that shows a picture, so that drawing again does not load it again.
export class Pictures {
  constructor(connection) {
    Object.assign(this, { connection, shown: new Map() });
  }

  element(key, { media_id, width, height }) {
    const known = this.shown.get(key);
    if (known) return known;
    const img = Object.assign(document.createElement("img"), { className: "picture", alt: "picture", loading: "lazy" });
    // The room it will take is known before it has come: nothing jumps.
    if (width > 0 && height > 0) Object.assign(img, { width, height });
    this.shown.set(key, img);
    // An address ends after a while, and a picture may come into view much later: it is asked for once more.
    img.onerror = () => {
      img.onerror = () => { img.alt = MISSING; };
      this.#address(key, img, media_id);
    };
    this.#address(key, img, media_id);
    return img;
  }

  async #address(key, img, mediaId) {
    try {
      img.src = here((await call(this.connection, "media.url", { media_id: mediaId })).url);
    } catch (error) {
      img.alt = MISSING;
      if (error.retryable) this.shown.delete(key);
    }
  }
}
